"""Statistics of axis angles, which have period 180 degrees.

An axis angle is never averaged, blended or differenced as a number: it travels as the
doubled-angle vector (cos 2a, sin 2a).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]


def wrap_axis(axis_deg: ArrayLike) -> Floats:
    """Bring axis angles into (-90, 90] degrees.

    Examples
    --------
    >>> wrap_axis([117.18873, -90.0, 90.0, 180.0]).round(5).tolist()
    [-62.81127, 90.0, 90.0, 0.0]
    """
    axis: Floats = np.asarray(axis_deg)
    turns: Floats = np.ceil(axis / 180 - 0.5)
    return axis - 180 * turns


def axis_difference(first_deg: ArrayLike, second_deg: ArrayLike) -> Floats:
    """Return the signed difference of two axes, in (-90, 90] degrees.

    Examples
    --------
    >>> float(axis_difference(80.0, -80.0))
    -20.0
    """
    return wrap_axis(np.subtract(first_deg, second_deg))


def doubled(axis_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Return the doubled-angle vector (cos 2a, sin 2a) of axis angles in degrees."""
    angle = np.deg2rad(np.multiply(axis_deg, 2))
    return np.cos(angle), np.sin(angle)


def undoubled(cos_2a: ArrayLike, sin_2a: ArrayLike) -> Floats:
    """Return the axis, in (-90, 90] degrees, of (sums of) doubled-angle vectors.

    Examples
    --------
    >>> float(undoubled(*doubled(30.0)).round(9))
    30.0
    """
    axis = np.rad2deg(np.arctan2(sin_2a, cos_2a)) / 2
    return np.where(axis <= -90, axis + 180, axis)


def axis_mean(axis_deg: ArrayLike, axis: int | tuple[int, ...] | None = None) -> Floats:
    """Average axis angles: half the angle of the sum of their doubled-angle vectors.

    Examples
    --------
    >>> float(axis_mean([10, 20]).round(9)), float(axis_mean([80, -80]).round(9))
    (15.0, 90.0)
    """
    cos_2a, sin_2a = doubled(axis_deg)
    return undoubled(cos_2a.sum(axis=axis), sin_2a.sum(axis=axis))
