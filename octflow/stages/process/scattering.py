"""Scattering coefficient from the decay of intensity with depth."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def scattering(
    intensity_db: NDArray[np.float32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    voxel_z_mm: float,
) -> NDArray[np.float32]:
    """Estimate the scattering coefficient, depth resolved, and average it over the window.

    For single scattering without absorption mu(z) = I(z) / (2 dz sum of I below z). What noise
    adds to the sum makes it too small, mostly where little signal is left.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    start, stop : (Y, X) int64 arrays
        The window of every A-line.
    voxel_z_mm : float
        Depth step.

    Returns
    -------
    mus : (Y, X) float32 array
        In 1/mm. The last sample of the volume, below which nothing is known, is left out; 0 where
        the window holds no other.

    Examples
    --------
    Intensity that halves with every sample of 0.5 mm: the sum below equals the sample itself.

    >>> halving = (-3.0103 * np.arange(40, dtype=np.float32))[:, None, None]
    >>> float(scattering(halving, np.array([[0]]), np.array([[8]]), 0.5)[0, 0].round(4))
    1.0
    """
    n_z = intensity_db.shape[0]
    mus = np.zeros(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            first, last = start[y, x], min(stop[y, x], n_z - 1)
            below = total = 0.0
            for z in range(n_z - 1, first - 1, -1):
                intensity = 10 ** (0.1 * intensity_db[z, y, x])
                if z < last:
                    total += intensity / below
                below += intensity
            if last > first:
                mus[y, x] = total / (2 * voxel_z_mm * (last - first))
    return mus
