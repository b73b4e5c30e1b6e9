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


def textured(picture: Floats, band_px: tuple[float, float] = BAND_PX, step_px: int = 1) -> Picture:
    """Keep the texture: stripes, shading and pixel noise are taken out, contrast is evened.

    Without the evening a single strong edge, such as the rim of the tissue, outweighs all speckle,
    and tells the shift across itself only.

    Parameters
    ----------
    picture : (Y, X) array
        NaN where there is no value.
    band_px : (2,) floats
        Gaussian sigmas of the fine and of the coarse smoothing that are subtracted.
    step_px : int
        Every how manieth pixel is kept, from the first on: what is smooth needs no more.

    Returns
    -------
    texture : (Y / step, X / step) float32 array
        Zero where there is no value.
    """
    valid = np.isfinite(picture)
    if valid.all():
        return _textured(np.ascontiguousarray(picture, np.float32), None, band_px, step_px)
    if (inner := full_rectangle(valid)) is None:
        values = np.where(valid, picture, 0).astype(np.float32)
        return _textured(values, valid, band_px, step_px)
    texture = np.zeros(valid[::step_px, ::step_px].shape, np.float32)
    y, x = (-(-side.start // step_px) for side in inner)
    full = picture[y * step_px : inner[0].stop, x * step_px : inner[1].stop]
    part = textured(full, band_px, step_px)
    texture[y : y + part.shape[0], x : x + part.shape[1]] = part
    return texture


def _textured(
    values: Picture, known: Bools | None, band_px: tuple[float, float], step_px: int
) -> Picture:
    """Return the texture of values where they are known, of all of them if `known` is None."""
    flat = _without_stripes(values, known)
    texture = _smoothed(flat, known, partial(gaussian, sigma_px=band_px[0], step_px=step_px))
    known = None if known is None else known[::step_px, ::step_px]
    # The coarse smoothing is that of what is smoothed already.
    rest_px = np.sqrt(band_px[1] ** 2 - band_px[0] ** 2) / step_px
    texture -= _smoothed(texture, known, partial(gaussian, sigma_px=rest_px))
    if known is not None:
        texture *= known
    power = texture**2
    reach_px = _EVEN_REACH * band_px[1] / step_px
    level = _smoothed(power, known, partial(_twice_averaged, sigma_px=reach_px))
    # What is weaker than the rounding of the picture itself is not texture.
    rounding = _ROUNDING * max(float(np.abs(values).max(initial=0)), 1.0)
    count = power.size if known is None else max(int(known.sum()), 1)
    level += np.float32(_EVEN_FLOOR * float(power.sum()) / count + rounding**2)
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
    if valid.size and valid.all():
        return slice(0, valid.shape[0]), slice(0, valid.shape[1])
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
    if known is None:
        return smooth(picture)
    mean = smooth(picture * known)
    mean /= np.maximum(smooth(known.astype(np.float32)), np.float32(1e-3))
    return mean
