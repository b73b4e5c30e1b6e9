"""Complex depth profiles to intensity, retardance and optic axis."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import arctan_deg, half_angle_deg
from octflow.core.polynomials import interpolating, polynomial

FLOOR = np.float32(2**-23)
"""Smallest intensity, the resolution of float32: -69.2 dB."""

_BLOCK = 4096
_N_TERMS = 10
_TINY = np.float32(1e-37)
_ONE = np.float32(1)
_RIGHT_ANGLE = np.float32(90)
_DB_PER_OCTAVE = np.float32(10 * math.log10(2))
_MANTISSA = np.float32(2**-22)
"""Turns the 23 bits of a mantissa into 0 .. 2."""


class Contrasts(NamedTuple):
    """The three volumes of a tile, (Z, Y, X) float32."""

    intensity_db: NDArray[np.float32]
    retardance_deg: NDArray[np.float32]
    axis_deg: NDArray[np.float32]


_LOG2 = tuple(np.float32(c) for c in interpolating(lambda s: np.log2(1.5 + s / 2), _N_TERMS))
"""Errors below 1e-7."""


def contrasts(
    jones: NDArray[np.complex64], *, phase_offset_deg: float = 100, flip_phase: bool = False
) -> Contrasts:
    """Compute intensity, retardance and axis of every voxel.

    With I = |J1|^2 + |J2|^2: intensity is 10 log10 max(I, 2^-23); retardance is
    atan2(|J1|, |J2|); the axis is half the argument of J1 conj(J2) exp(2i offset), which is
    wrapped by construction.

    Parameters
    ----------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, finite.
    phase_offset_deg : float
        Offset of the axis.
    flip_phase : bool
        Negate the argument of J1 conj(J2) before the offset is added.

    Returns
    -------
    volumes : Contrasts
        Intensity in dB, retardance in degrees 0 .. 90, axis in degrees (-90, 90].

    Examples
    --------
    >>> jones = np.exp(1j * np.array([0.4, -0.2])).astype(np.complex64).reshape(2, 1, 1, 1)
    >>> [round(float(v[0, 0, 0]), 3) for v in contrasts(jones)]
    [3.01, 45.0, -62.811]
    """
    volumes = Contrasts(*(np.empty(jones.shape[1:], np.float32) for _ in range(3)))
    fill_contrasts(volumes, 0, jones, phase_offset_deg=phase_offset_deg, flip_phase=flip_phase)
    return volumes


def fill_contrasts(
    volumes: Contrasts,
    first_line: int,
    jones: NDArray[np.complex64],
    *,
    phase_offset_deg: float = 100,
    flip_phase: bool = False,
) -> None:
    """Compute intensity, retardance and axis of some B-lines, where they belong.

    Parameters
    ----------
    volumes : Contrasts
        Of the whole tile, contiguous; the B-lines from `first_line` on are filled.
    first_line : int
        B-line of the volumes that is the first one of `jones`.
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, finite.
    phase_offset_deg, flip_phase
        As for `contrasts`.
    """
    n_z, _, n_x = volumes.intensity_db.shape
    offset_rad = 2 * math.radians(phase_offset_deg)
    rotation = (
        np.float32(math.cos(offset_rad)),
        np.float32(math.sin(offset_rad)),
        np.float32(-1 if flip_phase else 1),
    )
    first, second = (np.ascontiguousarray(j).reshape(n_z, -1).view(np.float32) for j in jones)
    _fill(first, second, rotation, first_line * n_x, *(v.reshape(n_z, -1) for v in volumes))


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    rotation: tuple[np.float32, np.float32, np.float32],
    offset: int,
    intensity_db: NDArray[np.float32],
    retardance_deg: NDArray[np.float32],
    axis_deg: NDArray[np.float32],
) -> None:
    """Fill the volumes piece by piece, one simple loop each: that is what is vectorised."""
    scratch = np.empty(_BLOCK, np.float32)
    bits = scratch.view(np.int32)
    n = first.shape[1] // 2
    for z in range(first.shape[0]):
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            here = slice(offset + start, offset + stop)
            there = slice(2 * start, 2 * stop)
            _fill_retardance(first[z][there], second[z][there], scratch, retardance_deg[z][here])
            _fill_axis(first[z][there], second[z][there], rotation, axis_deg[z][here])
            _fill_decibel(bits, intensity_db[z][here])


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_retardance(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    intensity: NDArray[np.float32],
    retardance_deg: NDArray[np.float32],
) -> None:
    for i in range(retardance_deg.size):
        a, b, c, d = first[2 * i], first[2 * i + 1], second[2 * i], second[2 * i + 1]
        square_1, square_2 = a * a + b * b, c * c + d * d
        intensity[i] = max(square_1 + square_2, FLOOR)
        retardance_deg[i] = _retardance_deg(square_1, square_2)


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_axis(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    rotation: tuple[np.float32, np.float32, np.float32],
    axis_deg: NDArray[np.float32],
) -> None:
    offset_cos, offset_sin, sign = rotation
    for i in range(axis_deg.size):
        a, b, c, d = first[2 * i], first[2 * i + 1], second[2 * i], second[2 * i + 1]
        real, imag = a * c + b * d, sign * (b * c - a * d)
        axis_deg[i] = half_angle_deg(
            real * offset_cos - imag * offset_sin, real * offset_sin + imag * offset_cos
        )


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_decibel(bits: NDArray[np.int32], intensity_db: NDArray[np.float32]) -> None:
    for i in range(intensity_db.size):
        intensity_db[i] = _decibel(bits[i])


@njit(nogil=True, cache=True, error_model="numpy")
def _decibel(bits: np.int32) -> np.float32:
    """Return 10 log10 of the float with these bits, from its exponent and its mantissa."""
    exponent = np.float32((bits >> 23) - 127)
    mantissa = np.float32(bits & 0x7FFFFF) * _MANTISSA - _ONE
    return _DB_PER_OCTAVE * (exponent + polynomial(mantissa, _LOG2))


@njit(nogil=True, cache=True, error_model="numpy")
def _retardance_deg(first: np.float32, second: np.float32) -> np.float32:
    """Return atan2(|J1|, |J2|) from the squares; 0 where both are 0."""
    swapped = first > second
    large = first if swapped else second
    small = second if swapped else first
    angle = arctan_deg(np.sqrt(small / max(large, _TINY)))
    return _RIGHT_ANGLE - angle if swapped else angle
