"""Tell tissue from what surrounds it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def tissue_mask(
    intensity_db: NDArray[np.float32],
    threshold_db: float,
    *,
    sigma_px: float = 1.0,
    missing: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Find the tissue in a map of intensities.

    Parameters
    ----------
    intensity_db : (Y, X) array
        Intensity, NaN where there is none.
    threshold_db : float
        Intensity above which a pixel belongs to tissue.
    sigma_px : float
        Gaussian smoothing beforehand, over the pixels that have a value.
    missing : (Y, X) bool array, optional
        Pixels of which nothing is known. They connect what lies on both sides: a missing column of
        tiles may run through the tissue.

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
    covered = np.isfinite(intensity_db)
    # Zeros where nothing is known weigh in on neither side: no division by what is covered.
    above_db = np.subtract(intensity_db, threshold_db, dtype=np.float32)
    np.copyto(above_db, 0, where=~covered)
    ndimage.gaussian_filter(above_db, sigma_px, output=above_db)
    above = covered & (above_db > 0)
    del above_db
    if not above.any():
        return np.zeros(intensity_db.shape, np.uint8)
    return (_filled(_largest(above, missing)) & covered).astype(np.uint8)


def _largest(shape: NDArray[np.bool_], bridges: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Keep the largest part, connected through pixels of the shape and through bridges."""
    parts, count = ndimage.label(shape if bridges is None else shape | bridges)
    # In blocks, since labels are counted as 64-bit integers.
    blocks = np.array_split(parts, 16)
    sizes = np.sum([np.bincount(b.ravel(), minlength=count + 1) for b in blocks], axis=0)
    if bridges is not None:
        sizes -= np.bincount(parts[bridges & ~shape], minlength=count + 1)
    chosen = np.zeros(count + 1, bool)
    chosen[1 + np.argmax(sizes[1:])] = True
    largest: NDArray[np.bool_] = chosen[parts] if bridges is None else chosen[parts] & shape
    return largest


def _filled(shape: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the holes: what is not connected with the rim of the picture."""
    parts, count = ndimage.label(~shape)
    inside = np.ones(count + 1, bool)
    for rim in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        inside[rim[rim > 0]] = False
    filled: NDArray[np.bool_] = inside[parts]
    return filled
