"""Maps (Y, X) of a window of depth below the surface."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


def depth_window(
    surface_px: NDArray[np.float32], *, offset_px: int, depth_px: int, n_z: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place a window below the surface, clipped to the volume.

    Parameters
    ----------
    surface_px : (Y, X) float32 array
        First sample of the tissue; rounded.
    offset_px, depth_px : int
        Samples between the surface and the window, samples in the window.
    n_z : int
        Samples in the volume.

    Returns
    -------
    start, stop : (Y, X) int64 arrays
        First sample inside and first sample after; at least one sample is inside.

    Examples
    --------
    >>> surface = np.array([[10.0, 995.0, 2000.0]], np.float32)
    >>> [bound.tolist() for bound in depth_window(surface, offset_px=0, depth_px=80, n_z=1000)]
    [[[10, 995, 999]], [[90, 1000, 1000]]]
    """
    begin = np.rint(surface_px).astype(np.int64) + offset_px
    start = np.clip(begin, 0, n_z - 1)
    return start, np.clip(begin + depth_px, start + 1, n_z)


@njit(nogil=True, cache=True)
def mean_over(
    volume: NDArray[np.float32], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Average a scalar over the window of every A-line.

    Parameters
    ----------
    volume : (Z, Y, X) float32 array
        A scalar; axis angles need `axis_mean_over`.
    start, stop : (Y, X) int64 arrays
        The window, as from `depth_window`.

    Returns
    -------
    mean : (Y, X) float32 array
        In the unit of the volume.

    Examples
    --------
    >>> volume = np.arange(4, dtype=np.float32)[:, None, None]
    >>> float(mean_over(volume, np.array([[1]]), np.array([[4]]))[0, 0])
    2.0
    """
    mean = np.empty(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            total = 0.0
            for z in range(start[y, x], stop[y, x]):
                total += volume[z, y, x]
            mean[y, x] = total / (stop[y, x] - start[y, x])
    return mean


@njit(nogil=True, cache=True)
def max_over(
    volume: NDArray[np.float32], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Take the maximum over the window of every A-line.

    Parameters
    ----------
    volume : (Z, Y, X) float32 array
        A scalar.
    start, stop : (Y, X) int64 arrays
        The window, as from `depth_window`.

    Returns
    -------
    largest : (Y, X) float32 array
        In the unit of the volume.
    """
    largest = np.empty(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            best = volume[start[y, x], y, x]
            for z in range(start[y, x] + 1, stop[y, x]):
                best = max(best, volume[z, y, x])
            largest[y, x] = best
    return largest


@njit(nogil=True, cache=True)
def axis_mean_over(
    axis_deg: NDArray[np.float32], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Average axis angles over the window: half the angle of the summed doubled angles.

    Parameters
    ----------
    axis_deg : (Z, Y, X) float32 array
        Axis angles.
    start, stop : (Y, X) int64 arrays
        The window, as from `depth_window`.

    Returns
    -------
    mean_deg : (Y, X) float32 array
        In (-90, 90].

    Examples
    --------
    >>> axes = np.array([80, -80], np.float32)[:, None, None]
    >>> float(axis_mean_over(axes, np.array([[0]]), np.array([[2]]))[0, 0])
    90.0
    """
    doubled = 2 * math.pi / 180
    mean_deg = np.empty(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            cos_sum = sin_sum = 0.0
            for z in range(start[y, x], stop[y, x]):
                cos_sum += math.cos(doubled * axis_deg[z, y, x])
                sin_sum += math.sin(doubled * axis_deg[z, y, x])
            mean = np.float32(math.atan2(sin_sum, cos_sum) / doubled)
            mean_deg[y, x] = mean + 180 if mean <= -90 else mean
    return mean_deg
