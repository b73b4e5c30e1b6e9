"""The focus plane, and the mosaics of all volumes."""

VERSION = 2
"""Raised when the products of this stage change."""
