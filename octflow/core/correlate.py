"""Sub-pixel shift between two pictures of the same thing, with a measure of trust.

Energy-normalised cross-correlation: the true correlation coefficient of what overlaps, at every
shift, so that bright spots and small overlaps have no advantage.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from octflow.core.texture import BAND_PX, Bools, Floats, full_rectangle, textured

_MIN_OVERLAP = 0.3
"""Shifts that leave less than this fraction of the largest overlap are not looked at."""
_FINE = 8
"""Subdivisions of a pixel in the refinement of the peak."""


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
    first: Floats, second: Floats, *, search_px: int, band_px: tuple[float, float] = BAND_PX
) -> Match | None:
    """Find the shift at which two pictures agree best.

    The peak of the normalised correlation is refined by Fourier interpolation, which is exact
    for a band-limited texture. The precision is the Cramer-Rao bound of a shift: n c r / (1 - r^2),
    with the correlation r and the curvature c of the peak. The number n of independent pixels
    follows from the spread of the correlation over all shifts, which is 1 / sqrt(n) by chance.

    Parameters
    ----------
    first, second : (Y, X) or (C, Y, X) arrays
        In the same frame, NaN where there is no value; channels C are judged together.
    search_px : int
        Largest shift along x and along y.
    band_px : (2,) floats
        See `textured`.

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
    surfaces = [
        _Surface.of(a, b, search_px, band_px)
        for a, b in zip(_channels(first), _channels(second), strict=True)
    ]
    ncc = np.mean([surface.ncc for surface in surfaces], axis=0)
    count = np.sum([surface.count for surface in surfaces], axis=0)
    # By chance alone a correlation spreads as 1 / sqrt(pixels): small overlaps must show more.
    level = ncc * np.sqrt(np.maximum(count, 0))
    peak = np.unravel_index(np.nanargmax(ncc), ncc.shape) if np.isfinite(ncc).any() else None
    if peak is None or any(i in {0, n - 1} for i, n in zip(peak, ncc.shape, strict=True)):
        return None
    lag_y, lag_x = (int(i) - search_px for i in peak)
    fine = np.mean([surface.fine(lag_y, lag_x) for surface in surfaces], axis=0)
    (step_y, step_x), height, curvature = _vertex(fine)
    spread = 1.4826 * np.nanmedian(np.abs(level - np.nanmedian(level)))
    # Smoothed pixels repeat each other: the spread tells how many of them are independent.
    independent = float(count[peak]) / max(float(spread), 1.0) ** 2
    scale = independent * max(height, 0.0) / max(1 - height**2, 2e-3)
    return Match(
        shift_x_px=lag_x + step_x,
        shift_y_px=lag_y + step_y,
        correlation=height,
        confidence=float((level[peak] - np.nanmedian(level)) / max(spread, 1e-6)),
        precision=(curvature[0] * scale, curvature[1] * scale, curvature[2] * scale),
    )


@dataclass(frozen=True)
class _Surface:
    """Normalised correlation of one channel at all shifts of the search range."""

    ncc: Floats
    count: Floats
    spectrum: Floats
    norm: Floats
    size: tuple[int, int]
    search_px: int

    @classmethod
    def of(
        cls, first: Floats, second: Floats, search_px: int, band_px: tuple[float, float]
    ) -> "_Surface":
        size = tuple(fft.next_fast_len(n + search_px + 2, real=True) for n in first.shape)
        textures = (textured(first, band_px), textured(second, band_px))
        a, b = (fft.rfft2(texture, size) for texture in textures)
        spectrum = a.conj() * b
        valid = (np.isfinite(first), np.isfinite(second))
        count, energy_a, energy_b = _energies(textures, valid, search_px, size)
        norm = np.sqrt(energy_a * energy_b)
        usable = (count > _MIN_OVERLAP * count.max()) & (norm > 1e-6 * norm.max())
        norm = np.where(usable & (count > 0.5), norm, np.nan)
        ncc = _at_lags(spectrum, search_px, size) / norm
        return cls(ncc, count, spectrum, norm, size, search_px)

    def fine(self, lag_y: int, lag_x: int) -> Floats:
        """Interpolate the correlation within a pixel around a shift."""
        steps = np.arange(-_FINE, _FINE + 1) / _FINE
        freq_y = fft.fftfreq(self.size[0])[None, :]
        freq_x = fft.rfftfreq(self.size[1])[:, None]
        # The half spectrum stands for both halves, except at zero and at the highest frequency.
        twice = np.where((freq_x == 0) | (freq_x == 0.5), 1, 2)
        to_y = np.exp(2j * np.pi * (lag_y + steps[:, None]) * freq_y)
        to_x = np.exp(2j * np.pi * freq_x * (lag_x + steps[None, :])) * twice
        numerator = (to_y @ self.spectrum @ to_x).real / (self.size[0] * self.size[1])
        return numerator / self._norm_around(lag_y + self.search_px, lag_x + self.search_px, steps)

    def _norm_around(self, i: int, j: int, steps: Floats) -> Floats:
        """Interpolate the norm: held constant, it would favour larger overlaps."""
        patch = self.norm[i - 1 : i + 2, j - 1 : j + 2]
        patch = np.where(np.isfinite(patch), patch, self.norm[i, j])
        linear = np.maximum(1 - np.abs(steps[:, None] - np.arange(-1, 2)), 0)
        norm: Floats = linear @ patch @ linear.T
        return norm


def _vertex(fine: Floats) -> tuple[tuple[float, float], float, tuple[float, float, float]]:
    """Fit a paraboloid to the top; return vertex (y, x), height, curvature (xx, yy, xy)."""
    top = np.unravel_index(np.argmax(fine), fine.shape)
    i, j = (int(np.clip(k, 1, n - 2)) for k, n in zip(top, fine.shape, strict=True))
    patch = fine[i - 1 : i + 2, j - 1 : j + 2]
    v, u = np.mgrid[-1:2, -1:2]
    terms = np.stack([u**2, v**2, u * v, u, v, np.ones_like(u)], axis=-1).reshape(9, 6)
    uu, vv, uv, u1, v1, one = np.linalg.lstsq(terms, patch.ravel(), rcond=None)[0]
    hessian = np.array([[2 * uu, uv], [uv, 2 * vv]])
    flat = np.linalg.det(hessian) <= 0 or uu >= 0
    du, dv = (0.0, 0.0) if flat else np.clip(-np.linalg.solve(hessian, [u1, v1]), -1, 1)
    height = one + (u1 * du + v1 * dv) / 2
    step_y, step_x = ((k - _FINE + float(d)) / _FINE for k, d in ((i, dv), (j, du)))
    xx, yy, xy = (0.0 if flat else -float(c) * _FINE**2 for c in (2 * uu, 2 * vv, uv))
    return (step_y, step_x), float(height), (xx, yy, xy)


def _channels(picture: Floats) -> Floats:
    return picture if picture.ndim == 3 else picture[None]


def _at_lags(spectrum: Floats, search_px: int, size: tuple[int, int]) -> Floats:
    """Return the correlation at the shifts of the search range only."""
    lags = np.arange(-search_px, search_px + 1)
    return fft.irfft(fft.ifft(spectrum, axis=0)[lags], size[1])[:, lags]


def _energies(
    textures: tuple[Floats, Floats],
    valid: tuple[Bools, Bools],
    search_px: int,
    size: tuple[int, int],
) -> tuple[Floats, Floats, Floats]:
    """Return the number of common pixels at every shift, and the energy of each texture there."""
    inner = [full_rectangle(v) for v in valid]
    if inner[0] is not None and inner[1] is not None:
        return _box_energies(textures, (inner[0], inner[1]), search_px)
    m, n = (fft.rfft2(v.astype(np.float32), size) for v in valid)
    a2, b2 = (fft.rfft2(texture**2, size) for texture in textures)
    pairs = ((m, n), (a2, n), (m, b2))
    count, *energies = (_at_lags(x.conj() * y, search_px, size) for x, y in pairs)
    return count, np.maximum(energies[0], 0), np.maximum(energies[1], 0)


def _box_energies(
    textures: tuple[Floats, Floats],
    inner: tuple[tuple[slice, slice], tuple[slice, slice]],
    search_px: int,
) -> tuple[Floats, Floats, Floats]:
    """Return the same for two full rectangles, from running sums."""
    lags = np.arange(-search_px, search_px + 1)
    low, high = [], []
    for first, second in zip(*inner, strict=True):
        low.append(np.maximum(first.start, second.start - lags))
        high.append(np.maximum(np.minimum(first.stop, second.stop - lags), low[-1]))
    count = np.multiply.outer(high[0] - low[0], high[1] - low[1]).astype(float)
    energy_a = _box_sums(textures[0] ** 2, low, high)
    energy_b = _box_sums(textures[1] ** 2, [i + lags for i in low], [i + lags for i in high])
    return count, energy_a, energy_b


def _box_sums(values: Floats, low: list[Floats], high: list[Floats]) -> Floats:
    """Sum over all boxes between bounds along y and bounds along x."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(0, np.float64).cumsum(1)
    (y0, x0), (y1, x1) = (
        [np.clip(i, 0, n) for i, n in zip(ends, values.shape, strict=True)] for ends in (low, high)
    )
    sums = total[np.ix_(y1, x1)] - total[np.ix_(y0, x1)] - total[np.ix_(y1, x0)]
    return np.maximum(sums + total[np.ix_(y0, x0)], 0)
