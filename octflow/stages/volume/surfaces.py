"""Tissue surfaces of the tiles, where they can be believed."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from octflow.core.mosaic import Floats

_EVERY = 4
"""Pixels between those that tell the depth of the shallowest surface."""


class Surfaces(Mapping[int, NDArray[np.float32]]):
    """Surfaces (Y, X) of the tiles, NaN over background and over A-lines to be ignored.

    Parameters
    ----------
    maps : mapping of int to (2, Y, X) array
        Surface in depth samples and average intensity in dB.
    threshold_db : float
        Intensity below which a pixel is background.
    skip_x_px : int
        First A-lines of every B-line that are ignored.
    """

    def __init__(
        self, maps: Mapping[int, Floats], *, threshold_db: float, skip_x_px: int = 0
    ) -> None:
        self._maps = maps
        self._threshold_db = threshold_db
        self._skip_x_px = skip_x_px

    def __getitem__(self, tile: int) -> NDArray[np.float32]:
        surface, aip = self._maps[tile]
        tissue = aip >= self._threshold_db
        tissue[:, : self._skip_x_px] = False
        return np.where(tissue, despiked(surface), np.float32(np.nan)).astype(np.float32)

    def __iter__(self) -> Iterator[int]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)


def despiked(surface_px: Floats) -> Floats:
    """Replace single wrong estimates by the median of their 3 x 3 neighbourhood.

    Interpolation between pixels would spread each of them over four.

    Parameters
    ----------
    surface_px : (Y, X) array
        Surface in depth samples.

    Returns
    -------
    surface_px : (Y, X) array
        Estimates near the median of their neighbours are left as they are.
    """
    smooth = ndimage.median_filter(surface_px, 3, mode="nearest")
    distance = np.abs(surface_px - smooth)
    return np.where(distance > max(4.0, 6 * float(np.median(distance))), smooth, surface_px)


def flattened(surfaces_px: Mapping[int, Floats], pattern_px: Floats) -> NDArray[np.float32]:
    """Collect the surfaces of all tiles, focus pattern subtracted, over tissue.

    Parameters
    ----------
    surfaces_px : mapping of int to (Y, X) array
        NaN over background.
    pattern_px : (Y, X) array
        Focus pattern.

    Returns
    -------
    values : (N,) float32 array
        Every fourth pixel along each axis.
    """
    every = (slice(None, None, _EVERY), slice(None, None, _EVERY))
    parts = [(surfaces_px[tile][every] - pattern_px[every]).ravel() for tile in surfaces_px]
    values = np.concatenate([np.zeros(0, np.float32), *parts])
    return values[np.isfinite(values)].astype(np.float32)
