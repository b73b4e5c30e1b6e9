"""Tile coordinates, and the mosaics of all en-face maps."""

VERSION = 2
"""Raised when the products of this stage change."""
