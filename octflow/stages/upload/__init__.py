"""Send products to an archive: a folder on a mounted disk."""

VERSION = 1
