"""The polarisation along a window of A-lines, as vectors that turn with the retardance."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.polynomials import interpolating, polynomial
from octflow.stages.process.contrast import Contrasts

_N_TERMS = 9
_BITS_PER_DB = math.log2(10) / 10
_DARK_DB = -1e4


def _sine_over(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(np.pi / 2 * u) / u


# Of u squared, as s = 2 u^2 - 1, and of the fraction of an exponent; errors below 1e-12.
_COS = tuple(interpolating(lambda s: np.cos(np.pi / 2 * np.sqrt(0.5 + s / 2)), _N_TERMS))
_SIN = tuple(interpolating(lambda s: _sine_over(np.sqrt(0.5 + s / 2)), _N_TERMS))
_EXP2 = tuple(interpolating(lambda s: np.exp2(s / 2), _N_TERMS))


@njit(nogil=True, cache=True)
def polarisation(
    volumes: Contrasts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    y: int,
    x: int,
    lines: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Fill the vector (V, W) = I (cos 2R, sin 2R exp(2i axis)) of some A-lines of a B-line.

    Parameters
    ----------
    volumes : Contrasts
        Intensity in dB, retardance and axis in degrees, (Z, Y, X) float32.
    start, stop : (X,) int64 arrays
        The window of every A-line of the B-line.
    y, x : int
        B-line, and its first A-line.
    lines : (4, N, L) float64 array
        To be filled with V, Re W, Im W and I of L A-lines; I is relative to the brightest sample
        of the window. What lies below the window, or from a NaN on, is dark: less than 1e-300.

    Returns
    -------
    counts : (L,) int64 array
        Samples of every A-line that are not dark for these reasons.
    """
    counts = _gather(volumes, start, stop, y, x, lines)
    for i in range(lines.shape[1]):
        _polarise(lines[0, i], lines[1, i], lines[2, i], lines[3, i])
    return counts


@njit(nogil=True, cache=True)
def _gather(
    volumes: Contrasts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    y: int,
    first: int,
    lines: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Fill intensity (dB, relative to the brightest), R and axis; what follows a NaN is dark."""
    counts = np.zeros(lines.shape[2], np.int64)
    for k in range(counts.size):
        x = first + k
        top, n = start[x], stop[x] - start[x]
        brightest = -np.inf
        for i in range(n):
            brightest = max(brightest, volumes.intensity_db[top + i, y, x])
        for i in range(lines.shape[1]):
            lines[0, i, k], lines[1, i, k], lines[2, i, k] = _DARK_DB, 0, 0
            if i > counts[k] or i >= n:
                continue
            level = volumes.intensity_db[top + i, y, x] - brightest
            retardance, axis = (
                volumes.retardance_deg[top + i, y, x],
                volumes.axis_deg[top + i, y, x],
            )
            if math.isfinite(level + retardance + axis):
                lines[0, i, k], lines[1, i, k], lines[2, i, k] = level, retardance, axis
                counts[k] += 1
    return counts


@njit(nogil=True, cache=True, error_model="numpy")
def _polarise(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    third: NDArray[np.float64],
    intensity: NDArray[np.float64],
) -> None:
    """Turn intensity (dB), R and axis (deg) into V, Re W, Im W and I."""
    for k in range(intensity.size):
        bits = max(first[k] * _BITS_PER_DB, -1000.0)
        whole = np.floor(bits + 0.5)
        intensity[k] = whole
        first[k] = polynomial(2 * (bits - whole), _EXP2)
    powers = intensity.view(np.int64)
    for k in range(intensity.size):
        powers[k] = (np.int64(intensity[k]) + 1023) << 52
    for k in range(intensity.size):
        intensity[k] *= first[k]
        # cos 2R = - sin(2R - 90 deg), sin 2R = cos(2R - 90 deg).
        cosine, sine = _circle(second[k] / 45 - 1)
        half_cos, half_sin = _circle(third[k] / 90)
        across = intensity[k] * cosine
        first[k] = -intensity[k] * sine
        second[k] = across * (1 - 2 * half_sin * half_sin)
        third[k] = across * 2 * half_sin * half_cos


@njit(nogil=True, cache=True, error_model="numpy")
def _circle(u: float) -> tuple[float, float]:
    """Return cosine and sine of u right angles, u from -1 to 1."""
    s = 2 * u * u - 1
    return polynomial(s, _COS), u * polynomial(s, _SIN)
