"""Turn complex tiles into intensity, retardance and axis, and into maps below the surface."""

VERSION = 3
