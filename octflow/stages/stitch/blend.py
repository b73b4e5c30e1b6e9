"""Blend the maps of the tiles to a mosaic."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Floats, Layout
from octflow.stages.stitch.kernels import add_axial, add_scalar, normalise_axial, normalise_scalar

Map = NDArray[np.float32]

_BAND_PX = 32
"""Lines of the mosaic blended at a time: their sums and weights stay in the caches."""


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
    return _Bands(layout, tiles, dict.fromkeys(tiles, 0), axial).maps(1)[0]


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
    half_of = {tile: sum(grid[tile]) % 2 for tile in tiles}
    return Blended(*_Bands(layout, tiles, half_of, axial).maps(3))


class _Bands:
    """Blends band by band, from the smallest y on; holds only tiles that reach the band."""

    def __init__(
        self, layout: Layout, tiles: Mapping[int, Floats], half_of: Mapping[int, int], axial: bool
    ) -> None:
        self._shape = layout.shape
        self._axial = axial
        strips = (_Strip(layout, half_of[tile], tiles, tile) for tile in sorted(tiles))
        self._to_come = sorted(strips, key=lambda strip: -strip.start)
        self._reached: list[_Strip] = []

    def maps(self, count: int) -> Map:
        """Return the mosaic (1, Y, X), or (3, Y, X): mosaic, even and odd half."""
        n_y, n_x = self._shape
        n_halves = 1 if count == 1 else 2
        maps = np.empty((count, n_y, n_x), np.float32)
        sums = np.empty((n_halves, 1 + self._axial, _BAND_PX, n_x), np.float32)
        weights = np.empty((n_halves, _BAND_PX, n_x), np.float32)
        for start in range(0, n_y, _BAND_PX):
            stop = min(start + _BAND_PX, n_y)
            sums.fill(0)
            weights.fill(0)
            self._add(sums, weights, start, stop)
            self._normalise(sums, weights, maps[:, start:stop])
        return maps

    def _add(self, sums: Map, weights: Map, start: int, stop: int) -> None:
        while self._to_come and self._to_come[-1].start < stop:
            self._reached.append(self._to_come.pop())
        add = add_axial if self._axial else add_scalar
        for strip in self._reached:
            first, last = max(start - strip.start, 0), min(stop, strip.stop) - strip.start
            add(
                sums[strip.half],
                weights[strip.half],
                strip.values,
                (max(strip.start - start, 0), strip.start_x, first),
                strip.weight_y[first:last],
                strip.weight_x,
                strip.fraction,
            )
        self._reached = [strip for strip in self._reached if strip.stop > stop]

    def _normalise(self, sums: Map, weights: Map, maps: Map) -> None:
        normalise = normalise_axial if self._axial else normalise_scalar
        if len(maps) > 1:
            normalise(sums[0], weights[0], maps[1])
            normalise(sums[1], weights[1], maps[2])
            sums[0] += sums[1]
            weights[0] += weights[1]
        normalise(sums[0], weights[0], maps[0])


class _Strip:
    """A tile, read when it is first needed, as the kernels take it."""

    def __init__(self, layout: Layout, half: int, tiles: Mapping[int, Floats], tile: int) -> None:
        placement = layout.placement(tile)
        self.half = half
        self.start, self.stop = placement.where[0].start, placement.where[0].stop
        self.start_x = placement.start_x
        self.weight_y, self.weight_x = placement.weight_y, placement.weight_x
        self.fraction = np.float32(placement.fraction_y), np.float32(placement.fraction_x)
        self._tiles, self._tile, self._shape = tiles, tile, layout.tile_shape

    @cached_property
    def values(self) -> Map:
        """Map (Y, X) of the tile."""
        values = np.ascontiguousarray(self._tiles[self._tile], np.float32)
        # The compiled loops do not look where an array ends.
        if values.shape != self._shape:
            raise ValueError(f"tile {self._tile}: {values.shape} pixels, not {self._shape}")
        return values
