"""The texture of a picture: what two pictures of the same thing share, brought to one strength."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from octflow.core.smooth import Picture, gaussian, running_mean

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
    full = bool(valid.all())
    if not full and (inner := full_rectangle(valid)) is not None:
        texture = np.zeros(picture.shape, np.float32)
        texture[inner] = textured(picture[inner], band_px)
        return texture
    values = np.ascontiguousarray(picture if full else np.where(valid, picture, 0), np.float32)
    known = None if full else valid
    flat = _without_stripes(values, known)
    texture, coarse = (_smoothed(flat, known, partial(gaussian, sigma_px=s)) for s in band_px)
    texture -= coarse
    if known is not None:
        texture *= known
    power = texture**2
    evened = partial(_twice_averaged, sigma_px=_EVEN_REACH * band_px[1])
    # What is weaker than the rounding of the picture itself is not texture.
    rounding = _ROUNDING * max(float(np.abs(values).max(initial=0)), 1.0)
    floor = _EVEN_FLOOR * float(power.sum()) / max(int(valid.sum()), 1) + rounding**2
    level = _smoothed(power, known, evened)
    level += np.float32(floor)
    texture /= np.sqrt(level, out=level)
    return texture


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


def _without_stripes(values: Picture, known: Bools | None) -> Picture:
    """Subtract the mean of every line: neighbouring tiles share scan stripes, at shift zero."""
    for axis in (0, 1):
        if known is None:
            values = values - values.mean(axis, keepdims=True)
        else:
            count = np.maximum(known.sum(axis, keepdims=True, dtype=np.float32), 1)
            values = (values - values.sum(axis, keepdims=True) / count) * known
    return values


def _twice_averaged(picture: Picture, sigma_px: float) -> Picture:
    """Two running means: nearly a Gaussian, at a cost that does not grow with its width."""
    reach = round((np.sqrt(6 * sigma_px**2 + 1) - 1) / 2)
    return running_mean(running_mean(picture, reach), reach)


def _smoothed(
    picture: Picture, known: Bools | None, smooth: Callable[[Picture], Picture]
) -> Picture:
    """Mean, by a smoothing filter, over what is there: over all if `known` is None."""
    mean = smooth(picture)
    if known is not None:
        mean /= np.maximum(smooth(known.astype(np.float32)), np.float32(1e-3))
    return mean
