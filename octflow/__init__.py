"""Reconstruct brains from polarisation-sensitive OCT while the microscope is still running."""

__version__ = "0.1.0"
