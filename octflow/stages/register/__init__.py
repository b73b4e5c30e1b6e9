"""Stage register: the illuminations of one slice, and the 3-D fibre axis they determine."""

VERSION = 4
