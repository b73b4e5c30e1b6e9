"""Take in what the microscope wrote: inventory, checksums, archive."""

VERSION = 2
