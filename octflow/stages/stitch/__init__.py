"""Tile coordinates, and the mosaics of all en-face maps."""

VERSION = 1
"""Raised when the products of this stage change."""
