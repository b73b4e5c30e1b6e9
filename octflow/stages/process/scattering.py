"""Scattering coefficient from the decay of intensity with depth."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


def scattering(
    intensity_db: NDArray[np.float32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    voxel_z_mm: float,
    noise: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Estimate the scattering coefficient, depth resolved, and average it over the window.

    For single scattering without absorption mu(z) = I(z) / (2 dz sum of I below z). What noise
    adds to the sum makes it too small, mostly where little signal is left: give its mean.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    start, stop : (Y, X) int64 arrays
        The window of every A-line.
    voxel_z_mm : float
        Depth step.
    noise : (Z,) float64 array, optional
        Mean linear intensity of noise, subtracted from every sample: single ones may become
        negative, their sums hardly.

    Returns
    -------
    mus : (Y, X) float32 array
        In 1/mm. Samples below which there is no signal are left out, the last of the volume
        always; 0 where the window holds no other.

    Examples
    --------
    Intensity that halves with every sample of 0.5 mm: the sum below equals the sample itself.

    >>> halving = (-3.0103 * np.arange(40, dtype=np.float32))[:, None, None]
    >>> float(scattering(halving, np.array([[0]]), np.array([[8]]), 0.5)[0, 0].round(4))
    1.0
    """
    floor = np.zeros(len(intensity_db)) if noise is None else noise
    return _scattering(intensity_db, start, stop, voxel_z_mm, floor)


@njit(nogil=True, cache=True)
def _scattering(
    intensity_db: NDArray[np.float32],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    voxel_z_mm: float,
    noise: NDArray[np.float64],
) -> NDArray[np.float32]:
    n_z = intensity_db.shape[0]
    mus = np.zeros(start.shape, np.float32)
    for y in range(start.shape[0]):
        for x in range(start.shape[1]):
            first, last = start[y, x], min(stop[y, x], n_z - 1)
            below = total = 0.0
            used = 0
            for z in range(n_z - 1, first - 1, -1):
                intensity = 10 ** (0.1 * intensity_db[z, y, x]) - noise[z]
                if z < last and below > 0:
                    total += intensity / below
                    used += 1
                below += intensity
            if used > 0:
                mus[y, x] = total / (2 * voxel_z_mm * used)
    return mus
