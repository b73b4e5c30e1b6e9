"""Take in what the microscope wrote: the inventory of raw tiles."""

VERSION = 2
