"""The texture of a picture: what two pictures of the same thing share, brought to one strength."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

BAND_PX = (0.7, 1.2)
"""Gaussian sigmas between which texture is compared: speckle stays, noise and shading go."""
_EVEN_REACH = 2.5
"""Neighbourhood within which texture is brought to one strength, over the coarser sigma."""
_EVEN_FLOOR = 0.1
"""Mean square of the whole that is added there, so that empty regions are not blown up."""
_ROUNDING = 1e-5
"""Precision of a picture, as a fraction of its largest value."""


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
    if (inner := full_rectangle(valid)) is not None and valid[inner].size < valid.size:
        texture = np.zeros(picture.shape, np.float32)
        texture[inner] = textured(picture[inner], band_px)
        return texture
    texture = np.where(valid, picture, np.float32(0)).astype(np.float32)
    # Scan stripes lie alike in neighbouring tiles and would pull every shift to zero.
    for axis in (0, 1):
        count = np.maximum(valid.sum(axis, keepdims=True), 1)
        texture -= np.where(valid, texture.sum(axis, keepdims=True) / count, 0)
    fine, coarse = (_smoothed(texture, valid, sigma) for sigma in band_px)
    texture = np.where(valid, fine - coarse, np.float32(0))
    power = texture**2
    local = _smoothed(power, valid, _EVEN_REACH * band_px[1], _box_filter)
    local += np.float32(_EVEN_FLOOR * power.sum() / max(valid.sum(), 1))
    # What is weaker than the rounding of the picture itself is not texture.
    rounding = _ROUNDING * float(np.nanmax(np.abs(picture), initial=1)) if valid.any() else 1.0
    return np.asarray(texture / np.sqrt(local + np.float32(rounding**2)), np.float32)


def full_rectangle(valid: Bools) -> tuple[slice, slice] | None:
    """Return where (y, x) the values are if they fill one rectangle.

    Parameters
    ----------
    valid : (Y, X) bool array
        Where there are values.

    Examples
    --------
    >>> full_rectangle(np.array([[False, True], [False, True]]))
    (slice(0, 2, None), slice(1, 2, None))
    """
    y, x = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    if y.size == 0:
        return None
    inner = slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)
    return inner if valid[inner].all() else None


def _gaussian_filter(picture: Floats, sigma_px: float) -> Floats:
    return ndimage.gaussian_filter(picture, sigma_px, mode="nearest")


def _box_filter(picture: Floats, sigma_px: float) -> Floats:
    """Two running means: nearly a Gaussian, at a cost that does not grow with its width."""
    size = 2 * round((np.sqrt(6 * sigma_px**2 + 1) - 1) / 2) + 1
    once = ndimage.uniform_filter(picture, size, mode="nearest")
    return ndimage.uniform_filter(once, size, mode="nearest")


def _smoothed(
    texture: Floats,
    valid: Bools,
    sigma_px: float,
    smooth: Callable[[Floats, float], Floats] = _gaussian_filter,
) -> Floats:
    """Mean, by a smoothing filter, over what is there."""
    mean = smooth(texture, sigma_px)
    if valid.all():
        return mean
    share = smooth(valid.astype(np.float32), sigma_px)
    return mean / np.maximum(share, 1e-3)
