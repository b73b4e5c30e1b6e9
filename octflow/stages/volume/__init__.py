"""The focus plane, and the mosaics of all volumes."""

VERSION = 3
"""Raised when the products of this stage change."""
