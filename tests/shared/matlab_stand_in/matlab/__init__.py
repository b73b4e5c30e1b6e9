"""A stand-in for the package of MATLAB Engine for Python."""
