"""Which pixels of an illumination are solved for, and which are compared."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from octflow.core.tissue import tissue_mask

_MADE_FROM = {"tissue": ("mask",), "aip": ("aip",), "mip": ("mip",), "none": ()}
"""Stitched maps that a mask is made from."""


def masking_roles(kind: str) -> tuple[str, ...]:
    """Return the stitched maps that a kind of mask is made from.

    Examples
    --------
    >>> masking_roles("tissue"), masking_roles("none")
    (('mask',), ())
    """
    return _MADE_FROM[kind]


def mask_of(
    kind: str, maps: Mapping[str, NDArray], threshold_db: float, *, sigma_px: float = 5.0
) -> NDArray[np.bool_]:
    """Return the pixels of an illumination that take part.

    Parameters
    ----------
    kind : str
        tissue: the mask that stage stitch made; aip, mip: the largest part of that map that is
        bright, with its holes; none: every pixel.
    maps : dict of str to (Y, X) arrays
        `biref`, and what the mask is made from. Intensities in dB, NaN where nothing is known:
        such pixels connect what lies around them, as a missing column of tiles does.
    threshold_db : float
        Intensity from which aip or mip is bright.
    sigma_px : float
        Gaussian smoothing of aip or mip beforehand.

    Returns
    -------
    mask : (Y, X) array of bool
        True where a pixel takes part, if it has values.

    Examples
    --------
    >>> mip = np.array([[40, 70, 70, 40, 70]], np.float32)
    >>> mask_of("mip", {"mip": mip}, 60, sigma_px=0.1).tolist()
    [[False, True, True, False, False]]
    """
    if kind == "none":
        return np.ones(maps["biref"].shape, bool)
    if kind == "tissue":
        return np.asarray(maps["mask"]) > 0
    intensity_db = np.asarray(maps[kind], np.float32)
    unknown = ~np.isfinite(intensity_db)
    return tissue_mask(intensity_db, threshold_db, sigma_px=sigma_px, missing=unknown) > 0


def compared_map(
    kind: str, image: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return what is compared with other illuminations.

    Stage stitch leaves nothing outside its tissue mask, or was asked to: then the surroundings tell
    the outline of the tissue, better than a mask would. So only a mask of our own is applied.

    Parameters
    ----------
    kind : str
        See `mask_of`.
    image : (Y, X) float32 array
        Stitched map.
    mask : (Y, X) array of bool
        Pixels that take part.

    Examples
    --------
    >>> image, mask = np.array([[1, 2]], np.float32), np.array([[True, False]])
    >>> compared_map("tissue", image, mask).tolist(), compared_map("mip", image, mask).tolist()
    ([[1.0, 2.0]], [[1.0, nan]])
    """
    return np.where(mask, image, np.float32(np.nan)) if kind in {"aip", "mip"} else image
