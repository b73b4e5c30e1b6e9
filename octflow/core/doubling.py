"""Axis angles to doubled-angle vectors and back, for compiled loops.

Polynomials without branches, which become vector instructions where `cos` and `arctan2` do not;
they interpolate at Chebyshev points and are right to the last digits of float32.
"""

import numpy as np
from numba import njit

Powers = tuple[np.float32, ...]

_SIN: Powers = tuple(map(np.float32, [0.99999999, -0.166666507, 8.33203579e-03, -1.95039043e-04]))
"""sin(x) / x in powers of x^2, |x| up to 45 degrees."""
_COS: Powers = tuple(
    map(np.float32, [1, -0.499999996, 4.16666167e-02, -1.38866180e-03, 2.43798310e-05])
)
"""cos(x) likewise."""
_ARCTAN: Powers = tuple(
    map(
        np.float32,
        [
            0.999999881,
            -0.333318114,
            0.199669614,
            -0.140032902,
            0.0986888546,
            -0.0588297546,
            0.0237805191,
            -0.00455979211,
        ],
    )
)
"""arctan(x) / x likewise, |x| up to 1."""
_PER_OCTANT = np.float32(1 / 45)
_TO_DOUBLED = np.float32(np.pi / 90)
_FROM_DOUBLED = np.float32(90 / np.pi)
_HALF, _ONE = np.float32(0.5), np.float32(1)


@njit(nogil=True, cache=True, inline="always")
def doubled_of(axis_deg: np.float32) -> tuple[np.float32, np.float32]:
    """Return the doubled-angle vector (cos 2a, sin 2a) of a finite axis angle.

    Parameters
    ----------
    axis_deg : float32
        Of any size that a picture holds: whole turns are taken off first.

    Returns
    -------
    cos_2a, sin_2a : float32
        Right to 2e-7; NaN of what is not finite.

    Examples
    --------
    >>> [round(float(part), 6) for part in doubled_of(np.float32(60))]
    [-0.5, 0.866025]
    """
    turns = np.floor(axis_deg * _PER_OCTANT + _HALF)
    x = (axis_deg - turns * np.float32(45)) * _TO_DOUBLED
    t = x * x
    sine = x * (_SIN[0] + t * (_SIN[1] + t * (_SIN[2] + t * _SIN[3])))
    cosine = _COS[0] + t * (_COS[1] + t * (_COS[2] + t * (_COS[3] + t * _COS[4])))
    # Quarter of the circle, 0 to 3, as a float: no integer stands for NaN.
    quarter = turns - np.float32(4) * np.floor(turns * np.float32(0.25))
    crossed = (quarter == 1) | (quarter == 3)
    cos_2a, sin_2a = (sine, cosine) if crossed else (cosine, sine)
    return (
        -cos_2a if (quarter == 1) | (quarter == 2) else cos_2a,
        -sin_2a if quarter >= 2 else sin_2a,
    )


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def axis_of(cos_2a: np.float32, sin_2a: np.float32) -> np.float32:
    """Return the axis, in (-90, 90] degrees, of (a sum of) doubled-angle vectors.

    Examples
    --------
    >>> round(float(axis_of(np.float32(-2), np.float32(0))), 4)
    90.0
    """
    along, across = abs(cos_2a), abs(sin_2a)
    steep = across > along
    low, high = (along, across) if steep else (across, along)
    x = low / high if high > 0 else np.float32(0)
    t = x * x
    first = _ARCTAN[0] + t * (_ARCTAN[1] + t * (_ARCTAN[2] + t * _ARCTAN[3]))
    rest = _ARCTAN[4] + t * (_ARCTAN[5] + t * (_ARCTAN[6] + t * _ARCTAN[7]))
    angle = x * (first + (t * t) * (t * t) * rest) * _FROM_DOUBLED
    angle = np.float32(45) - angle if steep else angle
    angle = np.float32(90) - angle if cos_2a < 0 else angle
    return -angle if sin_2a < 0 and angle < np.float32(90) else angle
