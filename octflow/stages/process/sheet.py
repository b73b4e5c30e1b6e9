"""The picture of one tile on the contact sheet of its batch."""

import numpy as np
from numpy.typing import NDArray

from octflow.io.picture import coloured, colours_of, window_of

_SURFACE_RGB = (255, 60, 0)
_VERDICT_RGB = {"pass": (40, 160, 60), "warn": (240, 170, 0), "fail": (210, 30, 30)}


def tile_picture(
    *,
    aip: NDArray[np.float32] | None,
    surface_px: NDArray[np.float32],
    ori: NDArray[np.float32] | None,
    b_scan_db: NDArray[np.float32] | None,
) -> NDArray[np.uint8]:
    """Put intensity, surface, axis and one B-scan of a tile side by side, two by two.

    Parameters
    ----------
    aip, ori : (Y, X) float32 array, optional
        Maps of intensity in dB and of the axis in degrees; black where not given.
    surface_px : (Y, X) float32 array
        Surface; its window are the percentiles 1 and 99.
    b_scan_db : (Z, X) float32 array, optional
        Intensity of the middle B-line; it is shrunk to Y samples and the surface drawn over it.

    Returns
    -------
    rgb : (2 * Y, 2 * X, 3) uint8 array
        Above, aip and surface; below, ori and B-scan.
    """
    n_y, n_x = surface_px.shape
    rgb = np.zeros((2 * n_y, 2 * n_x, 3), np.uint8)
    if aip is not None:
        rgb[:n_y, :n_x] = _coloured("aip", aip)
    rgb[:n_y, n_x:] = _coloured("surf", surface_px)
    if ori is not None:
        rgb[n_y:, :n_x] = _coloured("ori", ori)
    if b_scan_db is not None:
        rgb[n_y:, n_x:] = _b_scan(b_scan_db, surface_px[n_y // 2], n_y)
    return rgb


def framed(rgb: NDArray[np.uint8], verdict: str) -> NDArray[np.uint8]:
    """Put a frame around a picture (Y, X, 3): green for pass, yellow for warn, red for fail."""
    thick = max(1, min(rgb.shape[:2]) // 40)
    n_y, n_x = rgb.shape[:2]
    out = np.empty((n_y + 2 * thick, n_x + 2 * thick, 3), np.uint8)
    out[:] = _VERDICT_RGB[verdict]
    out[thick:-thick, thick:-thick] = rgb
    return out


def _coloured(modality: str, array: NDArray[np.float32]) -> NDArray[np.uint8]:
    return coloured(array, window_of(modality, array), colours_of(modality))


def _b_scan(
    b_scan_db: NDArray[np.float32], surface_px: NDArray[np.float32], n_shown: int
) -> NDArray[np.uint8]:
    """Pick `n_shown` of the depth samples and mark the surface."""
    n_z, n_x = b_scan_db.shape
    rgb = _coloured("dBI", b_scan_db[np.arange(n_shown) * n_z // n_shown])
    marked = np.clip(surface_px * n_shown / n_z, 0, n_shown - 1).astype(int)
    # Thick enough to be seen when a whole batch is shown on one page.
    for shift in range(1 + n_shown // 150):
        rgb[np.minimum(marked + shift, n_shown - 1), np.arange(n_x)] = _SURFACE_RGB
    return rgb
