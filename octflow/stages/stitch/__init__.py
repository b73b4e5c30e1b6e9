"""Tile coordinates, and the mosaics of all en-face maps."""

VERSION = 3
"""Raised when the products of this stage change."""
