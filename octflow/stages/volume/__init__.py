"""The focus plane, and the mosaics of all volumes."""

VERSION = 1
"""Raised when the products of this stage change."""
