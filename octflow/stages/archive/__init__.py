"""Keep a compressed, checksummed copy of every raw tile."""

VERSION = 1
