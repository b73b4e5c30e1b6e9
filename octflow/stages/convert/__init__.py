"""Turn spectra into complex depth profiles."""

VERSION = 1
