"""Colour keys of the pictures of fibre axes."""

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import wrap_axis
from octflow.stages.register.angles import component_rgb, hue_rgb

Rgb = NDArray[np.uint8]

_SHARE = 5
_SMALLEST_PX, _LARGEST_PX = 25, 401


def azimuth_key(n_px: int) -> Rgb:
    """Draw a disc (n_px, n_px, 3): every line through its centre has the colour of its azimuth.

    Examples
    --------
    Azimuth 0 is cyan.

    >>> azimuth_key(5)[2, 4].tolist()
    [0, 255, 255]
    """
    x, y = _disc(n_px)
    return hue_rgb(wrap_axis(np.rad2deg(np.arctan2(y, x))), _inside(x, y))


def inclination_key(n_px: int) -> Rgb:
    """Draw a half disc (n_px, n_px, 3), a cut into depth: every ray has the colour of its dip.

    Fibres are followed to where x is positive, so there is the right half only; down is deeper.
    """
    x, y = _disc(n_px)
    return hue_rgb(np.rad2deg(np.arctan2(y, np.abs(x))), _inside(x, y) * (x >= 0))


def component_key(n_px: int) -> Rgb:
    """Draw a hemisphere (n_px, n_px, 3) seen along the beam: axes along x red, y green, z blue.

    Examples
    --------
    >>> component_key(5)[2].tolist()[2:]
    [[0, 0, 255], [128, 0, 221], [255, 0, 0]]
    """
    x, y = _disc(n_px)
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    return component_rgb(np.stack([x, y, z]), _inside(x, y))


def key_size_px(shape: tuple[int, ...]) -> int:
    """Choose the size of the key of a picture (Y, X): a fifth of the shorter side, within limits.

    Examples
    --------
    >>> key_size_px((1000, 2000)), key_size_px((10, 2000)), key_size_px((9000, 4000))
    (200, 10, 401)
    """
    shorter = min(shape[:2])
    return min(max(shorter // _SHARE, _SMALLEST_PX), _LARGEST_PX, shape[0])


def with_key(rgb: Rgb, key: Rgb) -> Rgb:
    """Put a key beside a picture, at the lower right: no pixel of the picture moves or is hidden.

    Parameters
    ----------
    rgb : (Y, X, 3) array
        Picture.
    key : (N, N, 3) array
        Not taller than the picture.

    Returns
    -------
    rgb : (Y, X + N, 3) array
        The picture, and a black margin with the key.
    """
    n_y, n_x = rgb.shape[:2]
    both = np.zeros((n_y, n_x + key.shape[1], 3), np.uint8)
    both[:, :n_x] = rgb
    both[n_y - len(key) :, n_x:] = key
    return both


def _disc(n_px: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y (n_px, n_px) from -1 to 1, y growing downwards as in the maps."""
    side = np.linspace(-1, 1, n_px)
    x, y = np.meshgrid(side, side)
    return x, y


def _inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x**2 + y**2 <= 1).astype(float)
