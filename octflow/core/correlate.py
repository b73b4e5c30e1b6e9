"""Sub-pixel shift between two pictures of the same thing, with a measure of trust.

Energy-normalised cross-correlation: the true correlation coefficient of what overlaps, at every
shift, so that bright spots and small overlaps have no advantage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from octflow.core.shifts import CrossSpectrum, Lags, Window
from octflow.core.smooth import Picture
from octflow.core.texture import BAND_PX, Bools, Floats, full_rectangle, textured

Ints = NDArray[np.int64]
Box = tuple[slice, slice]

_MIN_OVERLAP = 0.3
"""Shifts that leave less than this fraction of the largest overlap are not looked at."""
_FINE = 8
"""Subdivisions of a pixel in the refinement of the peak."""

_STEPS = np.arange(-_FINE, _FINE + 1) / _FINE
_LINEAR = np.maximum(1 - np.abs(_STEPS[:, None] - np.arange(-1, 2)), 0)
"""Linear interpolation between three pixels at the steps."""
_V, _U = np.mgrid[-1:2, -1:2].reshape(2, 9)
_TERMS = np.stack([_U**2, _V**2, _U * _V, _U, _V, np.ones(9)], axis=-1)
_PARABOLOID = np.linalg.pinv(_TERMS)
"""Least squares of the terms of a paraboloid on 3 x 3 values."""


@dataclass(frozen=True)
class Match:
    """How `second` lies relative to `first`: first(p) shows what second(p + shift) shows."""

    shift_x_px: float
    """Shift along x."""
    shift_y_px: float
    """Shift along y."""
    correlation: float
    """Correlation coefficient at the peak, -1 to 1."""
    confidence: float
    """Height of the peak above the median of all shifts, in their robust standard deviations."""
    precision: tuple[float, float, float]
    """Inverse covariance (xx, yy, xy) of the shift in 1/px^2: small along a fibre."""


def match(
    first: Floats,
    second: Floats,
    *,
    search_px: int,
    around_px: tuple[int, int] = (0, 0),
    band_px: tuple[float, float] = BAND_PX,
    step_px: int = 1,
) -> Match | None:
    """Find the shift at which two pictures agree best.

    The peak of the normalised correlation is refined by Fourier interpolation, which is exact
    for a band-limited texture. The precision is the Cramer-Rao bound of a shift: n c r / (1 - r^2),
    with the correlation r and the curvature c of the peak. The number n of independent pixels
    follows from the spread of the correlation over all shifts, which is 1 / sqrt(n) by chance.

    Parameters
    ----------
    first, second : (Y, X) or (C, Y, X) arrays
        NaN where there is no value; channels C are judged together.
    search_px : int
        Largest deviation of the shift from `around_px`, along x and along y.
    around_px : (2,) ints
        Expected shift (x, y).
    band_px, step_px
        See `textured`; shifts are looked at pixel by pixel all the same.

    Returns
    -------
    match : Match or None
        None where nothing overlaps, nothing has texture, or the best shift lies at the rim of
        the search range.

    Examples
    --------
    >>> field = np.random.default_rng(0).normal(size=(40, 40))
    >>> found = match(field[2:, :-3], field[:-2, 3:], search_px=6)
    >>> round(found.shift_x_px, 1), round(found.shift_y_px, 1)
    (-3.0, 2.0)
    """
    window = Window(around_px[1], around_px[0], search_px)
    surfaces = [
        _Surface.of(a, b, window, band_px, step_px)
        for a, b in zip(_channels(first), _channels(second), strict=True)
    ]
    ncc = _mean([surface.ncc for surface in surfaces])
    count = _mean([surface.count for surface in surfaces]) * len(surfaces)
    there = np.isfinite(ncc)
    peak = np.unravel_index(np.argmax(np.where(there, ncc, -2)), ncc.shape)
    if not there[peak] or any(i in {0, 2 * search_px} for i in peak):
        return None
    i, j = (int(k) for k in peak)
    (step_y, step_x), height, curvature = _vertex(_mean([s.fine(i, j) for s in surfaces]))
    # By chance alone a correlation spreads as 1 / sqrt(pixels): small overlaps must show more.
    level = ncc * np.sqrt(np.maximum(count, 0))
    middle = _middle(level[there])
    spread = 1.4826 * _middle(np.abs(level[there] - middle))
    # Smoothed pixels repeat each other: the spread tells how many of them are independent.
    independent = float(count[peak]) / max(spread, 1.0) ** 2
    scale = independent * max(height, 0.0) / max(1 - height**2, 2e-3)
    return Match(
        shift_x_px=around_px[0] + j - search_px + step_x,
        shift_y_px=around_px[1] + i - search_px + step_y,
        correlation=height,
        confidence=float((level[peak] - middle) / max(spread, 1e-6)),
        precision=(curvature[0] * scale, curvature[1] * scale, curvature[2] * scale),
    )


@dataclass(frozen=True)
class _Surface:
    """Normalised correlation of one channel at all shifts of the search range."""

    ncc: Floats
    count: Floats
    spectrum: CrossSpectrum
    norm: Floats
    window: Window
    step_px: int

    @classmethod
    def of(
        cls,
        first: Floats,
        second: Floats,
        window: Window,
        band_px: tuple[float, float],
        step_px: int,
    ) -> "_Surface":
        textures = textured(first, band_px, step_px), textured(second, band_px, step_px)
        valid = [np.isfinite(picture)[::step_px, ::step_px] for picture in (first, second)]
        wide = window.per(step_px)
        spectrum = CrossSpectrum.of(*textures, wide)
        counted = _energies(textures, (valid[0], valid[1]), wide)
        shifts = 2 * int(window.reach) + 1
        to_y, to_x = (_between(middle, wide.reach, shifts) for middle in (wide.y, wide.x))
        count, energy = (to_y @ surface @ to_x.T for surface in counted)
        norm = np.sqrt(energy)
        usable = (count > max(_MIN_OVERLAP * count.max(), 0.5)) & (norm > 1e-6 * norm.max())
        norm = np.where(usable, norm, np.nan)
        ncc = spectrum.correlation(wide, shifts) / norm
        return cls(ncc, count * step_px**2, spectrum, norm, window, step_px)

    def fine(self, i: int, j: int) -> Floats:
        """Interpolate the correlation within a pixel around a shift."""
        at_y, at_x = self.window.y + i - self.window.reach, self.window.x + j - self.window.reach
        around = Window(at_y, at_x, 1).per(self.step_px)
        return self.spectrum.correlation(around, 2 * _FINE + 1) / self._norm_around(i, j)

    def _norm_around(self, i: int, j: int) -> Floats:
        """Interpolate the norm: held constant, it would favour larger overlaps."""
        patch = self.norm[i - 1 : i + 2, j - 1 : j + 2]
        patch = np.where(np.isfinite(patch), patch, self.norm[i, j])
        norm: Floats = _LINEAR @ patch @ _LINEAR.T
        return norm


def _vertex(fine: Floats) -> tuple[tuple[float, float], float, tuple[float, float, float]]:
    """Fit a paraboloid to the top; return vertex (y, x), height, curvature (xx, yy, xy)."""
    top = np.unravel_index(np.argmax(fine), fine.shape)
    i, j = (min(max(int(k), 1), n - 2) for k, n in zip(top, fine.shape, strict=True))
    patch = fine[i - 1 : i + 2, j - 1 : j + 2]
    uu, vv, uv, u1, v1, one = (_PARABOLOID @ patch.ravel()).tolist()
    determinant = 4 * uu * vv - uv**2
    if determinant <= 0 or uu >= 0:
        return ((i - _FINE) / _FINE, (j - _FINE) / _FINE), one, (0.0, 0.0, 0.0)
    du = min(max((uv * v1 - 2 * vv * u1) / determinant, -1.0), 1.0)
    dv = min(max((uv * u1 - 2 * uu * v1) / determinant, -1.0), 1.0)
    xx, yy, xy = (-c * _FINE**2 for c in (2 * uu, 2 * vv, uv))
    step = ((i - _FINE + dv) / _FINE, (j - _FINE + du) / _FINE)
    return step, one + (u1 * du + v1 * dv) / 2, (xx, yy, xy)


def _middle(values: Floats) -> float:
    """Return the median; of an even number of values the upper one of the two in the middle."""
    half = values.size // 2
    return float(np.partition(values, half)[half])


def _channels(picture: Floats) -> Floats:
    return picture if picture.ndim == 3 else picture[None]


def _mean(surfaces: Sequence[Floats]) -> Floats:
    return surfaces[0] if len(surfaces) == 1 else np.mean(surfaces, axis=0)


@lru_cache(maxsize=64)
def _between(middle: float, reach: float, count: int) -> Floats:
    """Interpolate linearly between whole shifts, at (count) shifts around the middle."""
    shifts = np.linspace(middle - reach, middle + reach, count)
    whole = np.arange(math.floor(middle - reach), math.ceil(middle + reach) + 1)
    return np.maximum(1 - np.abs(shifts[:, None] - whole), 0)


def _energies(
    textures: tuple[Picture, Picture], valid: tuple[Bools, Bools], window: Window
) -> tuple[Floats, Floats]:
    """Return the number of common pixels at whole shifts, and the product of the energies there."""
    inner = [full_rectangle(v) for v in valid]
    if inner[0] is not None and inner[1] is not None:
        return _box_energies(textures, (inner[0], inner[1]), window.whole)
    m, n = (v.astype(np.float32) for v in valid)
    a, b = textures
    lags_y, lags_x = window.whole
    count, *energies = (
        fft.irfft2(spectrum.cross, spectrum.size)[np.ix_(lags_y, lags_x)]
        for spectrum in (CrossSpectrum.of(*p, window) for p in ((m, n), (a**2, n), (m, b**2)))
    )
    return count, np.maximum(energies[0], 0) * np.maximum(energies[1], 0)


def _box_energies(
    textures: tuple[Picture, Picture], inner: tuple[Box, Box], lags: Lags
) -> tuple[Floats, Floats]:
    """Return the same for two full rectangles, from running sums."""
    low, high = [], []
    for first, second, lag in zip(*inner, lags, strict=True):
        low.append(np.maximum(first.start, second.start - lag))
        high.append(np.maximum(np.minimum(first.stop, second.stop - lag), low[-1]))
    count = np.multiply.outer(high[0] - low[0], high[1] - low[1]).astype(float)
    energy = _box_energy(textures[0], low[0], high[0], low[1], high[1])
    y, x = lags
    energy *= _box_energy(textures[1], low[0] + y, high[0] + y, low[1] + x, high[1] + x)
    return count, energy


@njit(nogil=True, cache=True)
def _box_energy(texture: Picture, y0: Ints, y1: Ints, x0: Ints, x1: Ints) -> Floats:
    """Sum squares over all boxes from y0 to y1 and x0 to x1."""
    n_y, n_x = texture.shape
    total = np.zeros((n_y + 1, n_x + 1))
    for y in range(n_y):
        line = 0.0
        for x in range(n_x):
            line += np.float64(texture[y, x]) ** 2
            total[y + 1, x + 1] = total[y, x + 1] + line
    energy = np.empty((y0.size, x0.size))
    for i in range(y0.size):
        above, below = total[min(max(y0[i], 0), n_y)], total[min(max(y1[i], 0), n_y)]
        for j in range(x0.size):
            left, right = min(max(x0[j], 0), n_x), min(max(x1[j], 0), n_x)
            energy[i, j] = max(below[right] - above[right] - below[left] + above[left], 0.0)
    return energy
