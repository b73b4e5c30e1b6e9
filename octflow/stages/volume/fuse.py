"""Fuse the volumes of the tiles, block by block, each A-line at its own depth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import local
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Layout, Placement
from octflow.core.scaled import Scaled
from octflow.stages.volume.kernels import (
    Map,
    Part,
    Sums,
    Volume,
    add_axial,
    add_scalar,
    has_gaps,
    normalise,
    shift_of,
    undouble,
)

_PLANES = 8
"""Depth samples fused at a time: their sums stay in the caches."""
_NOTHING = np.empty(0, np.float32)
_UNCOUNTED = np.empty((2, 0, 0, 0), np.float32)


class _Ground(NamedTuple):
    """What all depths of a block share."""

    parts: list[Part]
    """What the tiles give to it."""
    whole: Map
    """(Y, X) sum of their weights: 1, but for rounding."""
    empty: Map
    """(Y, X) 0, NaN where there shall be no value."""


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
    _memory: local = field(default_factory=local, repr=False, compare=False)
    """Of the last block of each thread."""

    def passing_block(self, z: slice, y: slice, x: slice) -> Volume:
        """Fuse one block in memory that the next call of the same thread uses again.

        Fresh memory costs a fifth of the fusion: the kernel has to clear it.
        """
        shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        memory: Volume = getattr(self._memory, "block", _NOTHING)
        if memory.size < math.prod(shape):
            self._memory.block = memory = np.empty(math.prod(shape), np.float32)
        return self.block(z, y, x, out=memory[: math.prod(shape)].reshape(shape))

    def block(self, z: slice, y: slice, x: slice, out: Volume | None = None) -> Volume:
        """Fuse one block.

        Parameters
        ----------
        z, y, x : slice
            Part of the fused volume, with explicit start and stop.
        out : (Z, Y, X) float32 array, optional
            Memory to be used.

        Returns
        -------
        block : (Z, Y, X) float32 array
            NaN where no tile has a value.
        """
        shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        block = np.empty(shape, np.float32) if out is None else out
        ground = self._ground(y, x)
        if np.isnan(ground.empty).all():
            block.fill(np.nan)
            return block
        for start in range(0, len(block), _PLANES):
            self._fuse(z.start + start, block[start : start + _PLANES], ground)
        return block

    @cached_property
    def _placements(self) -> dict[int, Placement]:
        return {tile: self.layout.placement(tile) for tile in sorted(self.tiles)}

    def _ground(self, y: slice, x: slice) -> _Ground:
        """Cut out what the tiles have in common with a block."""
        found = [
            _part(placement, self.tiles[tile], self.shift_px, y, x)
            for tile, placement in self._placements.items()
            if _reaches(placement, y, x)
        ]
        weights = np.zeros((y.stop - y.start, x.stop - x.start), np.float32)
        for part in found:
            weights[_where(part)] += part.weight
        whole = np.zeros_like(weights)
        parts = [part._replace(weight=_share(part, weights)) for part in found]
        for part in parts:
            whole[_where(part)] += part.weight
        there = whole > 0 if self.mask is None else (whole > 0) & (self.mask[y, x] != 0)
        return _Ground(parts, whole, np.where(there, np.float32(0), np.float32(np.nan)))

    def _fuse(self, first_z: int, slab: Volume, ground: _Ground) -> None:
        sums = np.empty((2, *slab.shape), np.float32) if self.axial else slab[None]
        self._add(first_z, sums, _UNCOUNTED, ground)
        if has_gaps(sums, ground.empty):
            present = np.zeros_like(sums)
            self._add(first_z, sums, present, ground)
            normalise(sums, present, ground.whole)
        if self.axial:
            undouble(sums, slab)

    def _add(self, first_z: int, sums: Sums, present: Sums, ground: _Ground) -> None:
        sums[:] = ground.empty
        add = add_axial if self.axial else add_scalar
        for part in ground.parts:
            add(sums, present, part, first_z)


def _reaches(placement: Placement, y: slice, x: slice) -> bool:
    return all(
        reach.start < part.stop and part.start < reach.stop
        for reach, part in zip(placement.where, (y, x), strict=True)
    )


def _where(part: Part) -> tuple[slice, slice]:
    (y, x, _, _), (n_y, n_x) = part.corner, part.weight.shape
    return slice(y, y + n_y), slice(x, x + n_x)


def _share(part: Part, weights: Map) -> Map:
    return (part.weight / weights[_where(part)]).astype(np.float32)


def _part(placement: Placement, volume: Scaled, shift_px: Map, y: slice, x: slice) -> Part:
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
    return Part(
        volume,
        shift_of(shift_px[local_y:beyond_y, local_x:beyond_x]),
        (start_y - y.start, start_x - x.start, local_y, local_x),
        np.multiply.outer(ramp_y, ramp_x),
        (np.float32(placement.fraction_y), np.float32(placement.fraction_x)),
    )
