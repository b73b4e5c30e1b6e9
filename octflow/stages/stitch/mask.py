"""Tell tissue from what surrounds it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def tissue_mask(
    aip_db: NDArray[np.float32], threshold_db: float, *, sigma_px: float = 1.0
) -> NDArray[np.uint8]:
    """Find the tissue in a stitched intensity map.

    Parameters
    ----------
    aip_db : (Y, X) array
        Average intensity, NaN where there is no tile.
    threshold_db : float
        Intensity above which a pixel belongs to tissue.
    sigma_px : float
        Gaussian smoothing beforehand, over the pixels that have a value.

    Returns
    -------
    mask : (Y, X) uint8 array
        1 within the largest connected part (4 neighbours), its holes filled; pixels without a
        value are 0.

    Examples
    --------
    >>> aip = np.full((9, 9), 40.0, np.float32); aip[2:7, 2:7] = 70; aip[4, 4] = 40
    >>> tissue_mask(aip, 60, sigma_px=0.1).sum().item()
    25
    """
    covered = np.isfinite(aip_db)
    share = ndimage.gaussian_filter(covered.astype(np.float32), sigma_px)
    smooth = ndimage.gaussian_filter(np.where(covered, aip_db, 0), sigma_px)
    above = covered & (smooth > threshold_db * share)
    parts, count = ndimage.label(above)
    if count == 0:
        return np.zeros(aip_db.shape, np.uint8)
    largest = np.argmax(np.bincount(parts.ravel())[1:]) + 1
    filled = ndimage.binary_fill_holes(parts == largest)
    return (filled & covered).astype(np.uint8)
