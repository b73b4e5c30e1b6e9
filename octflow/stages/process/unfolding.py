"""Birefringence and axis from the rotation of the polarisation with depth, whatever folds.

Retardance folds at 90 degrees, and there the axis jumps by 90 degrees. The vector
(V, W) = I (cos 2R, sin 2R exp(2i axis)) does not: it turns evenly, by the double retardance, in
the plane that the axis spans. Noise of both channels cancels in V and has no mean in W, so that
the rate of the turn has none of the bias of R.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.stages.process.contrast import Contrasts

MIN_COHERENCE = 0.3
"""Share of the intensity that follows the turn, below which there is none: noise alone reaches
0.2 over 80 samples."""

_N_STEPS = 8
_MIN_SAMPLES = 3
_DOUBLED = math.pi / 90
_NEPER_PER_DB = math.log(10) / 10
_GRID_PER_LOBE = 4
"""Rates tried per 2 pi / N: the refinement converges from anywhere within the main lobe."""


class Rotation(NamedTuple):
    """What one A-line tells, (Y, X) float32."""

    delta_n: NDArray[np.float32]
    axis_deg: NDArray[np.float32]


def fit_rotation(
    volumes: Contrasts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    *,
    offset_px: int,
    wavelength_um: float,
    voxel_z_um: float,
    max_delta_n: float,
) -> Rotation:
    """Fit an evenly turning polarisation to the window of every A-line, by least squares.

    The sum of V cos t + |W| cos(arg W - 2 axis) sin t over the window, with t = rate * depth +
    phase, is largest at the fit of least squares weighted by 1 / I. The rate is sought on a grid,
    with the phase of a retardance that begins at the surface, and refined by Newton's method
    with the phase free.

    Parameters
    ----------
    volumes : Contrasts
        Intensity in dB, retardance and axis in degrees, (Z, Y, X) float32.
    start, stop : (Y, X) int64 arrays
        The window of every A-line.
    offset_px : int
        Samples between the surface and the window.
    wavelength_um, voxel_z_um : float
        Centre wavelength and depth step, in the same unit.
    max_delta_n : float
        Largest birefringence that is sought.

    Returns
    -------
    rotation : Rotation
        Birefringence, never negative, and axis in (-90, 90]. Both are 0 where fewer than 3
        samples are finite or less than 0.3 of the intensity follows the turn.

    Examples
    --------
    Retardance of 3 degrees per sample folds after 30 samples:

    >>> delta_deg = 3.0 * np.arange(80)[:, None, None]
    >>> folded = 90 - np.abs(delta_deg % 180 - 90)
    >>> axis = np.where(delta_deg % 180 <= 90, 20.0, -70.0)
    >>> tissue = Contrasts(*(a.astype(np.float32) for a in (0 * axis + 70, folded, axis)))
    >>> bounds = np.array([[0]]), np.array([[80]])
    >>> found = fit_rotation(
    ...     tissue, *bounds, offset_px=0, wavelength_um=1.3, voxel_z_um=2.5, max_delta_n=6e-3
    ... )
    >>> f"{found.delta_n[0, 0]:.5e} {found.axis_deg[0, 0]:.3f}"
    '4.33333e-03 20.000'
    """
    shape = start.shape
    rotation = Rotation(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    per_radian = wavelength_um / (4 * math.pi * voxel_z_um)
    _fit_lines(volumes, start, stop, float(offset_px), per_radian, max_delta_n, rotation)
    return rotation


@njit(nogil=True, cache=True)
def _fit_lines(
    volumes: Contrasts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    offset_px: float,
    per_radian: float,
    max_delta_n: float,
    rotation: Rotation,
) -> None:
    longest = (stop - start).max()
    lines = np.empty((4, longest))
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            n = _polarisation(volumes, start[y, x], stop[y, x], y, x, lines)
            if n < _MIN_SAMPLES:
                continue
            line = lines[:, :n]
            rate = _coarse_rate(line, offset_px, max_delta_n / per_radian)
            rate, phase = _refined(line, rate, rate * offset_px)
            score, turn = _score(line, rate, phase)
            if score >= MIN_COHERENCE * line[3].sum():
                axis = turn if rate >= 0 else turn + math.pi
                rotation.delta_n[y, x] = abs(rate) * per_radian
                rotation.axis_deg[y, x] = _half_deg(axis)


@njit(nogil=True, cache=True)
def _polarisation(
    volumes: Contrasts, first: int, last: int, y: int, x: int, lines: NDArray[np.float64]
) -> int:
    """Fill V, Re W, Im W and I of the window; return the samples from the first to a NaN.

    Intensity is relative to the brightest sample of the window.
    """
    brightest = -np.inf
    for z in range(first, last):
        brightest = max(brightest, volumes.intensity_db[z, y, x])
    for i in range(last - first):
        z = first + i
        intensity = math.exp(_NEPER_PER_DB * (volumes.intensity_db[z, y, x] - brightest))
        double = _DOUBLED * volumes.retardance_deg[z, y, x]
        angle = _DOUBLED * volumes.axis_deg[z, y, x]
        if not math.isfinite(intensity + double + angle):
            return i
        across = intensity * math.sin(double)
        lines[0, i] = intensity * math.cos(double)
        lines[1, i] = across * math.cos(angle)
        lines[2, i] = across * math.sin(angle)
        lines[3, i] = intensity
    return int(last - first)


@njit(nogil=True, cache=True)
def _coarse_rate(line: NDArray[np.float64], offset_px: float, max_rate: float) -> float:
    step = 2 * math.pi / (_GRID_PER_LOBE * line.shape[1])
    best, best_rate = -np.inf, 0.0
    for i in range(int(max_rate / step) + 1):
        score, _ = _score(line, i * step, i * step * offset_px)
        if score > best:
            best, best_rate = score, i * step
    return best_rate


@njit(nogil=True, cache=True)
def _score(line: NDArray[np.float64], rate: float, phase: float) -> tuple[float, float]:
    """Return how well a turn fits with its best axis, and the double angle of that axis."""
    along = real = imag = 0.0
    cosine, sine = math.cos(phase), math.sin(phase)
    turn_cos, turn_sin = math.cos(rate), math.sin(rate)
    for i in range(line.shape[1]):
        along += line[0, i] * cosine
        real += line[1, i] * sine
        imag += line[2, i] * sine
        # A turn by recurrence: one product instead of a sine and a cosine.
        cosine, sine = (
            cosine * turn_cos - sine * turn_sin,
            sine * turn_cos + cosine * turn_sin,
        )
    return along + math.hypot(real, imag), math.atan2(imag, real)


@njit(nogil=True, cache=True)
def _refined(line: NDArray[np.float64], rate: float, phase: float) -> tuple[float, float]:
    """Improve rate and phase with the axis held, then the axis, in turns."""
    n = line.shape[1]
    sums = np.zeros(3)
    for i in range(n):
        sums += line[3, i] * np.array([1.0, i, i * i])
    determinant = sums[0] * sums[2] - sums[1] * sums[1]
    for _ in range(_N_STEPS):
        _, angle = _score(line, rate, phase)
        error, moment = _errors(line, rate, phase, angle)
        rate += (sums[0] * moment - sums[1] * error) / determinant
        phase += (sums[2] * error - sums[1] * moment) / determinant
    return rate, phase


@njit(nogil=True, cache=True)
def _errors(
    line: NDArray[np.float64], rate: float, phase: float, angle: float
) -> tuple[float, float]:
    """Return the sum of the phase errors, weighted by intensity, and their first moment."""
    error = moment = 0.0
    axis_cos, axis_sin = math.cos(angle), math.sin(angle)
    cosine, sine = math.cos(phase), math.sin(phase)
    turn_cos, turn_sin = math.cos(rate), math.sin(rate)
    for i in range(line.shape[1]):
        across = line[1, i] * axis_cos + line[2, i] * axis_sin
        off = across * cosine - line[0, i] * sine
        error += off
        moment += i * off
        cosine, sine = (
            cosine * turn_cos - sine * turn_sin,
            sine * turn_cos + cosine * turn_sin,
        )
    return error, moment


@njit(nogil=True, cache=True)
def _half_deg(double_rad: float) -> float:
    """Return half an angle, in (-90, 90] degrees."""
    axis = double_rad / _DOUBLED
    if axis > 90:
        return axis - 180
    return axis + 180 if axis <= -90 else axis
