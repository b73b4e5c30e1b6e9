"""The volumes of all slices joined to one."""

import math
import threading
from dataclasses import asdict
from functools import cache

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import AXIAL
from octflow.core.record import Product
from octflow.io.omezarr import Plan
from octflow.io.records import checked, product
from octflow.io.shard_reader import Kept, Source, open_volume
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.frame import Stack, key_of
from octflow.stages.stack.resample import resample_block
from octflow.stages.stack.slabs import Layout, blend_slabs

Floats = NDArray[np.float32]
Shape = tuple[int, int, int]

_KEPT_PER_THREAD = 128
"""Chunks of the slices' volumes that are kept: about as many as a turned shard shows."""


class Room(threading.local):
    """Memory that each thread uses again for every block: the system need not clear it anew.

    Parameters
    ----------
    shard_px : (3,) ints
        Size (z, y, x) of the largest block.
    """

    def __init__(self, shard_px: Shape) -> None:
        self._values = np.empty(math.prod(shard_px), np.float32)

    def block(self, *where: slice) -> Floats:
        """Return a block of a size."""
        shape = [s.stop - s.start for s in where]
        return self._values[: math.prod(shape)].reshape(shape)


def write_volume_stack(
    stack: Stack,
    role: str,
    volumes: dict[int, Product],
    layout: Layout,
    *,
    voxel_size_mm: tuple[float, float, float],
    chunk_px: Shape,
    shard_px: Shape,
    threads: int,
) -> Product:
    """Join the volumes of all slices to one, block by block; keep what did not change.

    Parameters
    ----------
    stack : Stack
        Canvas and places.
    role : str
        Modality.
    volumes : dict of int to Product
        OME-Zarr of every slice that has one.
    layout : Layout
        Depths of the slices.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    chunk_px, shard_px : (3,) ints
        See `Plan`.
    threads : int
        Shards worked on side by side.
    """
    axial, evened, first = role in AXIAL, role in stack.equalised, stack.slices.start

    kept = Kept(_KEPT_PER_THREAD * (1 + threads))

    @cache
    def source_of(slice_id: int) -> Source:
        return open_volume(checked(volumes[slice_id]), kept)

    def there(z: slice) -> list[int]:
        return [s for s in layout.slabs_at(z, len(stack.slices)) if s + first in volumes]

    def made_from(z: slice) -> str:
        slabs = [[s, stack.made_from(role, s + first, volumes[s + first])] for s in there(z)]
        return key_of([asdict(layout), *slabs])

    room = Room(shard_px)

    def block_of(z: slice, y: slice, x: slice) -> Floats:
        in_y, in_x = stack.in_frame(y, x)

        def fill(slab: int, depths: slice, block: Floats) -> None:
            source, place = source_of(slab + first), stack.places[slab + first]
            where = (depths, in_y, in_x)
            resample_block(source, where, place, block, axial=axial, in_db=evened)

        return blend_slabs(layout, there(z), z, fill, room.block(z, y, x), axial=axial)

    path = stack.path(f"{role}.ome.zarr")
    write_volume(
        path,
        Plan(
            (layout.start(len(stack.slices)), *stack.canvas.shape),
            voxel_size_mm,
            f"stack {role}",
            axial=axial,
            chunk_px=chunk_px,
            shard_px=shard_px,
        ),
        block_of=block_of,
        threads=threads,
        made_from=made_from,
    )
    return product(path, f"stack_{role}")
