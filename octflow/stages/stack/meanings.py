"""What the stacked maps hold, and in which unit; it stands in the headers of their files."""

MAPS = {
    "aip": "mean intensity below the surface [dB]",
    "axis3d": "fibre axis, unit vector (x, y, z), z deeper, 0: no axis [1]",
    "biref": "apparent birefringence [1]",
    "dn": "true birefringence, NaN: no axis [1]",
    "mip": "largest intensity below the surface [dB]",
    "mus": "scattering coefficient [1/mm]",
    "ori": "axis angle from +x towards -y [deg]",
    "ret": "mean retardance below the surface [deg]",
    "surf": "depth of the surface [samples]",
}
"""By role, up to 79 characters."""
