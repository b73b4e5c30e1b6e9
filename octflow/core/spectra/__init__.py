"""Spectra to complex depth profiles; stages that keep complex tiles and those that do not share it.

`VERSION` is raised whenever complex depth profiles change.
"""

VERSION = 2
