"""Fuse the volumes of the tiles, block by block, each A-line at its own depth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import undoubled
from octflow.core.mosaic import Layout, Placement
from octflow.core.scaled import Scaled
from octflow.stages.volume.kernels import (
    Corner,
    Map,
    Shift,
    add_axial,
    add_scalar,
    normalise,
    shift_of,
)

Volume = NDArray[np.float32]

_PLANES = 8
"""Depth samples fused at a time: their sums and weights stay in the caches."""


@dataclass(frozen=True)
class _Part:
    """What a tile gives to a block, as the kernels take it."""

    volume: Scaled
    shift: Shift
    corner: Corner
    ramps: tuple[Map, Map]
    fraction: tuple[np.float32, np.float32]


@dataclass(frozen=True)
class Fusion:
    """What decides every voxel of a fused volume; `block` computes any part of it."""

    layout: Layout
    """Where the tiles lie."""
    tiles: Mapping[int, Scaled]
    """Tile id to volume (Z, Y, X), usually memory-mapped; other tiles are holes."""
    shift_px: NDArray[np.float32]
    """(Y, X) of a tile: depth index that becomes depth 0, fractions of a sample allowed."""
    axial: bool = False
    """The values are axis angles in degrees."""
    mask: NDArray[np.uint8] | None = None
    """(Y, X) of the mosaic: voxels where it is 0 are empty."""

    def block(self, z: slice, y: slice, x: slice) -> Volume:
        """Fuse one block.

        Parameters
        ----------
        z, y, x : slice
            Part of the fused volume, with explicit start and stop.

        Returns
        -------
        block : (Z, Y, X) float32 array
            NaN where no tile has a value.
        """
        parts = [
            _part(placement, self.tiles[tile], self.shift_px, y, x)
            for tile in sorted(self.tiles)
            if _reaches(placement := self.layout.placement(tile), y, x)
        ]
        block = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), np.float32)
        weights = np.empty((min(_PLANES, len(block)), *block.shape[1:]), np.float32)
        for start in range(0, len(block), _PLANES):
            slab = block[start : start + _PLANES]
            self._fuse(z.start + start, slab, weights[: len(slab)], parts)
        if self.mask is not None:
            block[:, self.mask[y, x] == 0] = np.nan
        return block

    def _fuse(self, first_z: int, slab: Volume, weights: Volume, parts: list[_Part]) -> None:
        sums = np.empty((2, *slab.shape), np.float32) if self.axial else slab[None]
        sums.fill(0)
        weights.fill(0)
        add = add_axial if self.axial else add_scalar
        for part in parts:
            add(
                sums,
                weights,
                part.volume,
                part.shift,
                first_z,
                part.corner,
                part.ramps,
                part.fraction,
            )
        if self.axial:
            values = undoubled(sums[0], sums[1])
            slab[:] = np.where(weights > 0, values, np.float32(np.nan))
        else:
            normalise(slab, weights)


def _reaches(placement: Placement, y: slice, x: slice) -> bool:
    return all(
        reach.start < part.stop and part.start < reach.stop
        for reach, part in zip(placement.where, (y, x), strict=True)
    )


def _part(placement: Placement, volume: Scaled, shift_px: Map, y: slice, x: slice) -> _Part:
    """Cut out what a tile and a block have in common."""
    reach_y, reach_x = placement.where
    start_y, stop_y = max(reach_y.start, y.start), min(reach_y.stop, y.stop)
    start_x, stop_x = max(reach_x.start, x.start), min(reach_x.stop, x.stop)
    local_y, local_x = start_y - reach_y.start, start_x - reach_x.start
    ramp_y = placement.weight_y[local_y : stop_y - reach_y.start]
    ramp_x = placement.weight_x[local_x : stop_x - reach_x.start]
    # Interpolation looks at one pixel more.
    beyond_y = stop_y - reach_y.start + (placement.fraction_y > 0)
    beyond_x = stop_x - reach_x.start + (placement.fraction_x > 0)
    return _Part(
        volume,
        shift_of(shift_px[local_y:beyond_y, local_x:beyond_x]),
        (start_y - y.start, start_x - x.start, local_y, local_x),
        (ramp_y, ramp_x),
        (np.float32(placement.fraction_y), np.float32(placement.fraction_x)),
    )
