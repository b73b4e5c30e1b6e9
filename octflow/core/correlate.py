"""Sub-pixel shift between two pictures of the same thing, with a measure of trust.

Energy-normalised cross-correlation: the true correlation coefficient of what overlaps, at every
shift, so that bright spots and small overlaps have no advantage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.floating]

BAND_PX = (0.7, 1.2)
"""Gaussian sigmas between which texture is compared: speckle stays, noise and shading go."""
_EVEN_REACH = 2.5
"""Neighbourhood within which texture is brought to one strength, over the coarser sigma."""
_EVEN_FLOOR = 0.1
"""Mean square of the whole that is added there, so that empty regions are not blown up."""
_ROUNDING = 1e-5
"""Precision of a picture, as a fraction of its largest value."""
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


def textured(picture: Floats, band_px: tuple[float, float] = BAND_PX) -> Floats:
    """Keep the texture: stripes, shading and pixel noise are taken out, contrast is evened.

    Without the evening a single strong edge, such as the rim of the tissue, outweighs all speckle,
    and tells the shift across itself only.

    Parameters
    ----------
    picture : (Y, X) array
        NaN where there is no value.
    band_px : (2,) floats
        Gaussian sigmas of the fine and of the coarse smoothing that are subtracted.

    Returns
    -------
    texture : (Y, X) float32 array
        Zero where there is no value.
    """
    valid = np.isfinite(picture)
    texture = np.where(valid, picture, np.float32(0)).astype(np.float32)
    # Scan stripes lie alike in neighbouring tiles and would pull every shift to zero.
    for axis in (0, 1):
        count = np.maximum(valid.sum(axis, keepdims=True), 1)
        texture -= np.where(valid, texture.sum(axis, keepdims=True) / count, 0)
    fine, coarse = (_smoothed(texture, valid, sigma) for sigma in band_px)
    texture = np.where(valid, fine - coarse, np.float32(0))
    power = texture**2
    local = _smoothed(power, valid, _EVEN_REACH * band_px[1]) + _EVEN_FLOOR * power.sum() / max(
        valid.sum(), 1
    )
    # What is weaker than the rounding of the picture itself is not texture.
    rounding = _ROUNDING * float(np.nanmax(np.abs(picture), initial=1)) if valid.any() else 1.0
    return np.asarray(texture / np.sqrt(local + np.float32(rounding**2)), np.float32)


def match(
    first: Floats, second: Floats, *, search_px: int, band_px: tuple[float, float] = BAND_PX
) -> Match | None:
    """Find the shift at which two pictures agree best.

    The peak of the normalised correlation is refined by Fourier interpolation, which is exact
    for a band-limited texture. The precision is the Cramer-Rao bound of a shift: the curvature
    of the peak, times the number of pixels, over twice the part that does not correlate.

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
    scale = float(count[peak]) / (2 * max(1 - height, 1e-3))
    spread = 1.4826 * np.nanmedian(np.abs(level - np.nanmedian(level)))
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
        pictures = [textured(p, band_px) for p in (first, second)]
        a, b = (fft.rfft2(picture, size) for picture in pictures)
        a2, b2 = (fft.rfft2(picture**2, size) for picture in pictures)
        m, n = (fft.rfft2(np.isfinite(p).astype(np.float32), size) for p in (first, second))

        def at_lags(left: Floats, right: Floats) -> Floats:
            lags = np.arange(-search_px, search_px + 1)
            return fft.irfft2(left.conj() * right, size)[np.ix_(lags, lags)]

        count = at_lags(m, n)
        norm = np.sqrt(np.maximum(at_lags(a2, n), 0) * np.maximum(at_lags(m, b2), 0))
        usable = (count > _MIN_OVERLAP * count.max()) & (norm > 1e-6 * norm.max())
        norm = np.where(usable & (count > 0.5), norm, np.nan)
        spectrum = a.conj() * b
        return cls(at_lags(a, b) / norm, count, spectrum, norm, size, search_px)

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


def _smoothed(texture: Floats, valid: NDArray[np.bool_], sigma_px: float) -> Floats:
    """Gaussian mean over what is there."""
    smooth = ndimage.gaussian_filter(texture, sigma_px, mode="nearest")
    if valid.all():
        return smooth
    share = ndimage.gaussian_filter(valid.astype(np.float32), sigma_px, mode="nearest")
    return smooth / np.maximum(share, 1e-3)
