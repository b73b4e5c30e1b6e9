"""Stage stack: the slices of a sample on top of each other."""

VERSION = 5
