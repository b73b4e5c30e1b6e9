"""Birefringence from the growth of retardance with depth."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def birefringence(
    retardance_deg: NDArray[np.float32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    wavelength_um: float,
    voxel_z_um: float,
) -> NDArray[np.float32]:
    """Fit the slope of the optical path difference R / 360 * wavelength against depth.

    Least squares; retardance is not unfolded at 90 degrees, so that strong birefringence in a
    deep window is underestimated.

    Parameters
    ----------
    retardance_deg : (Z, Y, X) float32 array
        Cumulative single-pass retardance, 0 .. 90.
    start, stop : (Y, X) int64 arrays
        The window of every A-line.
    wavelength_um, voxel_z_um : float
        Centre wavelength and depth step, in the same unit.

    Returns
    -------
    delta_n : (Y, X) float32 array
        Dimensionless; 0 where fewer than 3 samples of the window are finite.

    Examples
    --------
    >>> rising = np.arange(5, dtype=np.float32)[:, None, None]
    >>> fitted = birefringence(rising, np.array([[0]]), np.array([[5]]), 1.3, 2.5)
    >>> f"{fitted[0, 0]:.6e}"
    '1.444444e-03'
    """
    scale = wavelength_um / 360 / voxel_z_um
    delta_n = np.empty(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            line = retardance_deg[start[y, x] : stop[y, x], y, x]
            delta_n[y, x] = scale * _slope(line)
    return delta_n


@njit(nogil=True, cache=True)
def _slope(line: NDArray[np.float32]) -> float:
    """Return the least-squares slope per sample over the finite samples."""
    n = 0
    depth = depth_squared = value = product = 0.0
    for i in range(line.size):
        if math.isfinite(line[i]):
            n += 1
            depth += i
            depth_squared += i * i
            value += line[i]
            product += i * line[i]
    if n < 3:
        return 0.0
    return (n * product - depth * value) / (n * depth_squared - depth * depth)
