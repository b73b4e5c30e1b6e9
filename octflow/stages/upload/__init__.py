"""Send products to an archive: a folder of a mounted disk, or DANDI."""

VERSION = 2
