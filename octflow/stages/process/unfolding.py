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
from octflow.stages.process.polarisation import polarisation

MIN_COHERENCE = 0.3
"""Share of the intensity that follows the turn, below which there is none: noise alone reaches
0.2 over 80 samples."""

_LANES = 64
"""A-lines fitted side by side, in the lanes of the vector unit."""
_N_STEPS = 6
_TINY = 1e-300
_MIN_SAMPLES = 3
_GRID_PER_LOBE = 4
"""Rates tried per 2 pi / N: the refinement converges from anywhere within the main lobe."""
_ALONG, _REAL, _IMAG = 0, 1, 2
"""Places of the sums of V cos t, Re W sin t, Im W sin t."""


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
    turns = _turns(int((stop - start).max()), offset_px, max_delta_n / per_radian)
    _fit_lines(volumes, start, stop, turns, per_radian, rotation)
    return rotation


class _Turns(NamedTuple):
    """The turns that are tried first: their rates and phases (R,), cosine and sine (R, N)."""

    rate: NDArray[np.float64]
    phase: NDArray[np.float64]
    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]


def _turns(n: int, offset_px: int, max_rate: float) -> _Turns:
    step = 2 * math.pi / (_GRID_PER_LOBE * max(n, 1))
    rate = step * np.arange(int(max_rate / step) + 1, dtype=np.float64)
    turn = rate[:, None] * (np.arange(n) + offset_px)
    return _Turns(rate, rate * offset_px, np.cos(turn), np.sin(turn))


@njit(nogil=True, cache=True, error_model="numpy")
def _fit_lines(
    volumes: Contrasts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    turns: _Turns,
    per_radian: float,
    rotation: Rotation,
) -> None:
    n_y, n_x = start.shape
    for y in range(n_y):
        for first in range(0, n_x, _LANES):
            n_lanes = min(_LANES, n_x - first)
            lines = np.empty((4, turns.cosine.shape[1], n_lanes))
            counts = polarisation(volumes, start[y], stop[y], y, first, lines)
            here = slice(first, first + n_lanes)
            fitted = Rotation(rotation.delta_n[y, here], rotation.axis_deg[y, here])
            _fit_lanes(lines, counts, turns, per_radian, fitted)


@njit(nogil=True, cache=True, error_model="numpy")
def _fit_lanes(
    lines: NDArray[np.float64],
    counts: NDArray[np.int64],
    turns: _Turns,
    per_radian: float,
    rotation: Rotation,
) -> None:
    rate, phase = _coarse(lines, turns)
    weights = np.zeros((3, counts.size))
    for i in range(lines.shape[1]):
        for power in range(3):
            _add(weights[power], lines[3, i], float(i**power))
    sums = _sums(lines, rate, phase)
    for _ in range(_N_STEPS):
        _improve(sums, weights, rate, phase)
        sums = _sums(lines, rate, phase)
    for k in range(counts.size):
        score = sums[_ALONG, k] + math.hypot(sums[_REAL, k], sums[_IMAG, k])
        if counts[k] >= _MIN_SAMPLES and score >= MIN_COHERENCE * weights[0, k]:
            sign = 1.0 if rate[k] >= 0 else -1.0
            axis = math.atan2(sign * sums[_IMAG, k], sign * sums[_REAL, k])
            rotation.delta_n[k] = abs(rate[k]) * per_radian
            rotation.axis_deg[k] = _half_deg(axis)


@njit(nogil=True, cache=True, error_model="numpy")
def _coarse(
    lines: NDArray[np.float64], turns: _Turns
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rate and phase of the turn that fits best, of those that are tried."""
    n_lanes = lines.shape[2]
    rate, phase, best = np.zeros(n_lanes), np.zeros(n_lanes), np.full(n_lanes, -np.inf)
    for r in range(turns.rate.size):
        along, real, imag = np.zeros(n_lanes), np.zeros(n_lanes), np.zeros(n_lanes)
        for i in range(lines.shape[1]):
            _add(along, lines[0, i], turns.cosine[r, i])
            _add(real, lines[1, i], turns.sine[r, i])
            _add(imag, lines[2, i], turns.sine[r, i])
        for k in range(n_lanes):
            score = along[k] + np.sqrt(real[k] * real[k] + imag[k] * imag[k])
            better = score > best[k]
            best[k] = score if better else best[k]
            rate[k] = turns.rate[r] if better else rate[k]
            phase[k] = turns.phase[r] if better else phase[k]
    return rate, phase


@njit(nogil=True, cache=True, error_model="numpy")
def _sums(
    lines: NDArray[np.float64], rate: NDArray[np.float64], phase: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums over depth of what a turn makes of V and W.

    V cos t, Re W sin t, Im W sin t; then V sin t, Re W cos t, Im W cos t, and the same three
    times the depth: with the axis they are the phase error and its moment.
    """
    sums = np.zeros((9, rate.size))
    cosine, sine = np.cos(phase), np.sin(phase)
    turn_cos, turn_sin = np.cos(rate), np.sin(rate)
    for i in range(lines.shape[1]):
        _add_product(sums[0], lines[0, i], cosine)
        _add_product(sums[1], lines[1, i], sine)
        _add_product(sums[2], lines[2, i], sine)
        _add_both(sums[3], sums[6], lines[0, i], sine, float(i))
        _add_both(sums[4], sums[7], lines[1, i], cosine, float(i))
        _add_both(sums[5], sums[8], lines[2, i], cosine, float(i))
        # A turn by recurrence: one product instead of a sine and a cosine.
        _turn(cosine, sine, turn_cos, turn_sin)
    return sums


@njit(nogil=True, cache=True, error_model="numpy")
def _improve(
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    rate: NDArray[np.float64],
    phase: NDArray[np.float64],
) -> None:
    """Improve rate and phase by one step of Newton's method, with the best axis held."""
    for k in range(rate.size):
        real, imag = sums[_REAL, k], sums[_IMAG, k]
        if real * real + imag * imag == 0:
            # No turn yet: the axis is where W grows to.
            real, imag = sums[7, k], sums[8, k]
        length = max(np.sqrt(real * real + imag * imag), _TINY)
        axis_cos, axis_sin = real / length, imag / length
        error = axis_cos * sums[4, k] + axis_sin * sums[5, k] - sums[3, k]
        moment = axis_cos * sums[7, k] + axis_sin * sums[8, k] - sums[6, k]
        determinant = weights[0, k] * weights[2, k] - weights[1, k] * weights[1, k]
        if determinant > 0:
            rate[k] += (weights[0, k] * moment - weights[1, k] * error) / determinant
            phase[k] += (weights[2, k] * error - weights[1, k] * moment) / determinant


@njit(nogil=True, cache=True, error_model="numpy")
def _add(total: NDArray[np.float64], values: NDArray[np.float64], factor: float) -> None:
    for k in range(total.size):
        total[k] += values[k] * factor


@njit(nogil=True, cache=True, error_model="numpy")
def _add_product(
    total: NDArray[np.float64], values: NDArray[np.float64], factors: NDArray[np.float64]
) -> None:
    for k in range(total.size):
        total[k] += values[k] * factors[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _add_both(
    total: NDArray[np.float64],
    moment: NDArray[np.float64],
    values: NDArray[np.float64],
    factors: NDArray[np.float64],
    depth: float,
) -> None:
    for k in range(total.size):
        product = values[k] * factors[k]
        total[k] += product
        moment[k] += depth * product


@njit(nogil=True, cache=True, error_model="numpy")
def _turn(
    cosine: NDArray[np.float64],
    sine: NDArray[np.float64],
    turn_cos: NDArray[np.float64],
    turn_sin: NDArray[np.float64],
) -> None:
    for k in range(cosine.size):
        turned = cosine[k] * turn_cos[k] - sine[k] * turn_sin[k]
        sine[k] = sine[k] * turn_cos[k] + cosine[k] * turn_sin[k]
        cosine[k] = turned


@njit(nogil=True, cache=True)
def _half_deg(double_rad: float) -> float:
    """Return half an angle, in (-90, 90] degrees."""
    axis = math.degrees(double_rad) / 2
    if axis > 90:
        return axis - 180
    return axis + 180 if axis <= -90 else axis
