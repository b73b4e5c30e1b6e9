"""Axis angles in compiled loops: single precision, without branches, as vector instructions.

`octflow.core.axial` says what these angles are; here are the same formulas, for Numba, by
polynomials, which give the same bits on every machine.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.polynomials import interpolating, polynomial

_TINY = np.float32(1e-37)
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1), np.float32(2)
_RIGHT_ANGLE, _STRAIGHT = np.float32(90), np.float32(180)
_PER_RIGHT_ANGLE = np.float32(1 / 90)


def _coefficients(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], n_terms: int
) -> tuple[np.float32, ...]:
    """Interpolate a function of u, 0 to 1, as a polynomial of s = 2 u^2 - 1."""
    terms = interpolating(lambda s: function(np.sqrt(0.5 + s / 2)), n_terms)
    return tuple(np.float32(c) for c in terms)


# Errors: 1e-5 degrees, and 6e-7 of cosine and sine.
_ARCTAN_DEG = _coefficients(lambda u: np.rad2deg(np.arctan(u)) / u, 10)
_COS = _coefficients(lambda u: np.cos(np.pi / 2 * u), 7)
_SIN = _coefficients(lambda u: np.sin(np.pi / 2 * u) / u, 7)


@njit(nogil=True, cache=True, error_model="numpy")
def doubled_vector(axis_deg: np.float32) -> tuple[np.float32, np.float32]:
    """Return (cos 2a, sin 2a) of an axis a of -90 to 90 degrees.

    Examples
    --------
    >>> [round(float(part), 5) for part in doubled_vector(np.float32(30))]
    [0.5, 0.86603]
    """
    u = axis_deg * _PER_RIGHT_ANGLE
    s = _TWO * u * u - _ONE
    cosine, sine = polynomial(s, _COS), u * polynomial(s, _SIN)
    return _ONE - _TWO * sine * sine, _TWO * sine * cosine


@njit(nogil=True, cache=True, error_model="numpy")
def half_angle_deg(real: np.float32, imag: np.float32) -> np.float32:
    """Return half the argument of a number, in (-90, 90]; 0 where it is 0.

    Examples
    --------
    >>> float(half_angle_deg(np.float32(-1), np.float32(-0.0)))
    90.0
    """
    across, along = abs(imag), abs(real)
    swapped = across > along
    large = across if swapped else along
    small = along if swapped else across
    angle = arctan_deg(small / max(large, _TINY))
    angle = _RIGHT_ANGLE - angle if swapped else angle
    angle = _STRAIGHT - angle if real < 0 else angle
    angle = _HALF * (-angle if imag < 0 else angle)
    return _RIGHT_ANGLE if angle <= -_RIGHT_ANGLE else angle


@njit(nogil=True, cache=True, error_model="numpy")
def arctan_deg(ratio: np.float32) -> np.float32:
    """Return the arc tangent of 0 .. 1."""
    return ratio * polynomial(_TWO * ratio * ratio - _ONE, _ARCTAN_DEG)
