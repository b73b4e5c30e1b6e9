"""Volumes as 16-bit integers with a scale: half the memory and disk of float32."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import AXIAL

LARGEST = 32767
"""Largest code used; -32768 is not."""
STEPS = {"dBI": 0.01, "R3D": 90 / LARGEST, "O3D": 90 / LARGEST}
"""Value of one code: dB and degrees. What is read differs by at most half of it."""


class Scaled(NamedTuple):
    """Stored values with their scale: value = stored * slope + intercept. Numba takes it."""

    stored: NDArray
    slope: np.float32
    intercept: np.float32

    def floats(self, *where: slice | int) -> NDArray[np.float32]:
        """Return (a part of) the values; what is stored as float32 is not copied."""
        part = self.stored[where]
        if part.dtype == np.float32 and self.slope == 1 and self.intercept == 0:
            return part
        return part * self.slope + self.intercept


def unscaled(values: NDArray) -> Scaled:
    """Regard an array as stored with the scale 1."""
    return Scaled(values, np.float32(1), np.float32(0))


def codes_of(values: NDArray[np.float32], modality: str) -> NDArray[np.int16]:
    """Round a volume to the codes of its modality.

    Parameters
    ----------
    values : (Z, Y, X) float32 array
        Finite.
    modality : {"dBI", "R3D", "O3D"}
        Decides the step.

    Returns
    -------
    codes : (Z, Y, X) int16 array
        Values times `STEPS` are within half a step.

    Raises
    ------
    ValueError
        A value is not finite or beyond the codes.

    Examples
    --------
    An axis just above -90 degrees would be rounded to -90, which is called 90:

    >>> codes_of(np.array([[[30.0, -89.9999]]], np.float32), "O3D").tolist()
    [[[10922, 32767]]]
    """
    per_step = np.float32(1 / STEPS[modality])
    codes = np.empty(values.shape, np.int16)
    for plane, rounded in zip(values, codes, strict=True):
        scaled = np.rint(plane * per_step)
        largest = float(np.abs(scaled).max(initial=0))
        if math.isnan(largest) or largest > LARGEST:
            raise ValueError(f"{modality} of {largest} steps cannot be stored as int16")
        rounded[...] = scaled
        if modality in AXIAL:
            rounded[rounded == -LARGEST] = LARGEST
    return codes
