"""What every product of stage register is called, what it holds, and in which unit."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """What a map or a variable holds."""

    text: str
    """In few words: the header of a file holds 79 characters of them and of the unit."""
    unit: str = "1"
    """1 for what has none."""

    def __str__(self) -> str:
        """Say it with the unit in brackets, as it stands in the files."""
        return f"{self.text} [{self.unit}]"


MAPS = {
    "axis3d": Meaning("fibre axis, unit vector (x, y, z), z deeper, 0: no axis"),
    "axis3d_weighted": Meaning("fibre axis (x, y, z) times true birefringence"),
    "dn": Meaning("true birefringence, NaN: no axis"),
    "misfit": Meaning("what the views contradict each other", "sqrt of birefringence"),
    "uncertainty": Meaning("predicted error of the axis, RMS, NaN: no axis", "deg"),
    "uncertainty_inclination": Meaning("predicted standard deviation of alpha", "deg"),
    "valid": Meaning("1: at least two views see birefringent tissue, 0: not"),
}
"""Maps by role: the name and the description in the header of their NIfTI files."""

ONE_VIEW = Meaning("1: the only view sees tissue, 0: not")
"""What `valid` holds where there is one view."""

PICTURES = {
    "inplane": "hue: (azimuth in degrees + 90) / 180, brightness: birefringence",
    "thruplane": "hue: (inclination in degrees + 90) / 180, brightness: birefringence",
    "axis3d": "red, green, blue: sizes of the fibre axis along x, y, z, brightness: birefringence",
}
"""Pictures by name: the comment in their JPEG files."""

VARIABLES = {
    "dneff_n": Meaning("apparent birefringence, fixed view"),
    "dneff_x": Meaning("apparent birefringence, tilted view"),
    "phi_n": Meaning("apparent azimuth from +x towards +y, fixed view", "rad"),
    "phi_x": Meaning("apparent azimuth from +x towards +y, tilted view", "rad"),
    "psi": Meaning("angle to the beam from the two azimuths alone", "rad"),
    "Psi": Meaning("angle to the beam, pi/2 - alpha wrapped", "rad"),
    "Theta": Meaning("azimuth from +x towards +y", "rad"),
    "alpha": Meaning("inclination, positive: the end with positive x is deeper", "rad"),
    "biref": Meaning("true birefringence"),
}
"""Variables of the MAT-file, all on the pixels of the fixed view."""


def units_of(variables: Iterable[str]) -> str:
    """Say what the variables of a MAT-file hold; it is stored in it as `units`.

    Examples
    --------
    >>> units_of(["Theta", "dneff_x2"])
    'Theta: azimuth from +x towards +y [rad]; dneff_x2: apparent birefringence, tilted view [1]'
    """
    return "; ".join(f"{name}: {VARIABLES[re.sub(r'_x[0-9]+$', '_x', name)]}" for name in variables)
