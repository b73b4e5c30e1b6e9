"""Smoothing of small pictures, several times as fast as by the filters of SciPy's ndimage."""

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Picture = NDArray[np.float32]

_TRUNCATED = 4.0
"""Standard deviations at which a Gaussian ends."""


def gaussian(picture: Picture, sigma_px: float, step_px: int = 1) -> Picture:
    """Smooth with a Gaussian; beyond its rim a picture continues as at the rim.

    Parameters
    ----------
    picture : (Y, X) float32 array
        Without empty pixels.
    sigma_px : float
        Standard deviation; the Gaussian ends after four of them.
    step_px : int
        Every how manieth pixel is kept, from the first on, along both axes.

    Examples
    --------
    >>> gaussian(np.array([[0, 0, 4, 0, 0]], np.float32), 0.5).astype(int).tolist()
    [[0, 0, 3, 0, 0]]
    """
    smooth = np.empty([-(-n // step_px) for n in picture.shape], np.float32)
    _convolve(picture, _half_gaussian(sigma_px), smooth, step_px)
    return smooth


def running_mean(picture: Picture, reach_px: int) -> Picture:
    """Average over a square; beyond its rim a picture continues as at the rim.

    Parameters
    ----------
    picture : (Y, X) float32 array
        Without empty pixels.
    reach_px : int
        The square has 2 `reach_px` + 1 pixels along each axis; its size costs no time.

    Examples
    --------
    >>> running_mean(np.array([[0, 3, 0, 0, 3]], np.float32), 1).tolist()
    [[1.0, 1.0, 1.0, 1.0, 2.0]]
    """
    mean = np.empty_like(picture)
    _average(picture, reach_px, mean)
    return mean


@cache
def _half_gaussian(sigma_px: float) -> Picture:
    """Weights from the middle outwards."""
    off = np.arange(int(_TRUNCATED * sigma_px + 0.5) + 1)
    weights = np.exp(-0.5 * (off / sigma_px) ** 2)
    return (weights / (2 * weights.sum() - weights[0])).astype(np.float32)


@njit(nogil=True, cache=True, error_model="numpy")
def _convolve(picture: Picture, weights: Picture, smooth: Picture, step: int) -> None:
    # The inner loops are written out: as functions they are not made vector instructions.
    (n_y, n_x), reach = picture.shape, weights.size - 1
    line, total = np.empty(n_x + 2 * reach, np.float32), np.empty(n_x, np.float32)
    middle = line[reach : reach + n_x]
    for i in range(smooth.shape[0]):
        y = i * step
        for x in range(n_x):
            middle[x] = weights[0] * picture[y, x]
        for k in range(1, reach + 1):
            above, below, weight = picture[max(y - k, 0)], picture[min(y + k, n_y - 1)], weights[k]
            for x in range(n_x):
                middle[x] += weight * (above[x] + below[x])
        line[:reach], line[reach + n_x :] = middle[0], middle[-1]
        for x in range(n_x):
            total[x] = weights[0] * middle[x]
        for k in range(1, reach + 1):
            left, right, weight = line[reach - k :], line[reach + k :], weights[k]
            for x in range(n_x):
                total[x] += weight * (left[x] + right[x])
        for x in range(smooth.shape[1]):
            smooth[i, x] = total[x * step]


@njit(nogil=True, cache=True, error_model="numpy")
def _average(picture: Picture, reach: int, mean: Picture) -> None:
    # Doubles: what is added here is subtracted again much later.
    (n_y, n_x), share = picture.shape, 1 / (2 * reach + 1) ** 2
    line = np.zeros(n_x + 2 * reach + 1)
    middle = line[reach : reach + n_x]
    for y in range(-reach, reach + 1):
        middle += picture[min(max(y, 0), n_y - 1)]
    for y in range(n_y):
        line[:reach], line[reach + n_x :] = middle[0], middle[-1]
        total = line[: 2 * reach + 1].sum()
        for x in range(n_x):
            mean[y, x] = total * share
            total += line[x + 2 * reach + 1] - line[x]
        above, below = picture[max(y - reach, 0)], picture[min(y + reach + 1, n_y - 1)]
        for x in range(n_x):
            middle[x] += np.float64(below[x]) - above[x]
