"""Blend the maps of the tiles to a mosaic."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import axis_difference, doubled, undoubled
from octflow.core.mosaic import Floats, Layout, resampled

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Blended:
    """A mosaic, and its two halves: tiles on the black and on the white fields of a chessboard.

    Where both halves have values neighbours overlap, and their difference shows how well the
    neighbours agree.
    """

    whole: Map
    """(Y, X), all tiles."""
    even: Map
    """(Y, X), the tiles with an even sum of grid coordinates."""
    odd: Map
    """(Y, X), the others."""


def blend(layout: Layout, tiles: Mapping[int, Floats], *, axial: bool = False) -> Map:
    """Average the tiles with weights that fall towards their rims.

    Scalars: sum(w v) / sum(w). Axis angles: half the angle of the weighted sum of their
    doubled-angle vectors.

    Parameters
    ----------
    layout : Layout
        Where the tiles lie.
    tiles : mapping of int to (Y, X) array
        Tiles that are there, NaN where a pixel is invalid; the others leave holes.
    axial : bool
        The values are axis angles in degrees.

    Returns
    -------
    mosaic : (Y, X) float32 array
        NaN where no tile has a value. Axis angles in (-90, 90] degrees.
    """
    return _normalised(*_weighted_sum(layout, tiles, sorted(tiles), axial))


def blend_halves(
    layout: Layout,
    tiles: Mapping[int, Floats],
    grid: Mapping[int, tuple[int, int]],
    *,
    axial: bool = False,
) -> Blended:
    """Blend the tiles, and besides every other tile by itself.

    Parameters
    ----------
    layout, tiles, axial
        See `blend`.
    grid : mapping of int to (grid_x, grid_y)
        Place of every tile in the grid.
    """
    even_tiles = [tile for tile in sorted(tiles) if sum(grid[tile]) % 2 == 0]
    odd_tiles = [tile for tile in sorted(tiles) if sum(grid[tile]) % 2 == 1]
    even = _weighted_sum(layout, tiles, even_tiles, axial)
    odd = _weighted_sum(layout, tiles, odd_tiles, axial)
    whole = _normalised(even[0] + odd[0], even[1] + odd[1])
    return Blended(whole, _normalised(*even), _normalised(*odd))


def seam_difference(even: Map, odd: Map, *, axial: bool = False) -> Map:
    """Return the difference of neighbouring tiles where they overlap, NaN elsewhere."""
    return (axis_difference(even, odd) if axial else even - odd).astype(np.float32)


def checkerboard(even: Map, odd: Map, *, square_px: int = 8) -> Map:
    """Take alternate squares from the one and the other half where both have values.

    Structures that run through the squares unbroken are well aligned.
    """
    y, x = np.arange(even.shape[0])[:, None], np.arange(even.shape[1])
    first = (y // square_px + x // square_px) % 2 == 0
    return np.where(np.isnan(odd) | (first & ~np.isnan(even)), even, odd)


def _weighted_sum(
    layout: Layout, tiles: Mapping[int, Floats], chosen: Iterable[int], axial: bool
) -> tuple[Map, Map]:
    """Sum the weighted values (C, Y, X) and the weights (Y, X)."""
    total = np.zeros((2 if axial else 1, *layout.shape), np.float32)
    weights = np.zeros(layout.shape, np.float32)
    for tile in chosen:
        placement = layout.placement(tile)
        values = resampled(_components(tiles[tile], axial), placement)
        valid = np.isfinite(values[0])
        weight = placement.weight * valid
        where = placement.where
        total[:, *where] += np.where(valid, values, 0) * weight
        weights[where] += weight
    return total, weights


def _components(tile: Floats, axial: bool) -> Floats:
    values = np.asarray(tile, dtype=np.float32)
    return np.stack(doubled(values)) if axial else values[None]


def _normalised(total: Map, weights: Map) -> Map:
    covered = weights > 0
    if total.shape[0] == 2:
        mosaic = undoubled(total[0], total[1]).astype(np.float32)
    else:
        mosaic = total[0] / np.where(covered, weights, 1)
    return np.where(covered, mosaic, np.float32(np.nan))
