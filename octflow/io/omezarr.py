"""OME-Zarr 0.5: sharded volumes with a pyramid, made shard by shard in one pass.

A shard of a coarse level is put together from the shards of the next finer level while these are
still in memory, so nothing is read back, and memory is bounded by a few shards whatever the size
of the volume. Every shard has one writer.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from octflow.core.errors import DataError, SettingsError
from octflow.core.pyramid import halved, halved_axial
from octflow.io.atomic import replacing

Shape = tuple[int, int, int]
BlockOf = Callable[[slice, slice, slice], NDArray[np.float32]]

_COARSEST_PX = 128
"""The pyramid ends where no axis is longer than this."""


def write_volume(  # noqa: PLR0913 - shape, scale, source and layout belong to one call
    path: Path,
    shape: Shape,
    *,
    voxel_size_mm: tuple[float, float, float],
    block_of: BlockOf,
    axial: bool = False,
    name: str,
    chunk_px: Shape = (64, 64, 64),
    shard_px: Shape = (256, 256, 256),
    threads: int = 1,
) -> None:
    """Write a volume (Z, Y, X) block by block, with a pyramid of factor 2 per axis.

    Same values, same bytes, for any number of threads.

    Parameters
    ----------
    path : Path
        Folder, ends in .ome.zarr. Appears whole or not at all.
    shape : (3,) ints
        Size (n_z, n_y, n_x).
    voxel_size_mm : (3,) floats
        Size (x, y, z) of the finest voxels; the centre of the first lies at the origin.
    block_of : callable
        Takes slices (z, y, x) with explicit start and stop and returns the float32 values there,
        NaN where there are none. Called once per shard, from `threads` threads.
    axial : bool
        The values are axis angles in degrees: coarser levels are their axial means.
    name : str
        Name of the picture shown by viewers.
    chunk_px, shard_px : (3,) ints
        Sizes (z, y, x) of what is compressed together and of what lies in one file.
    threads : int
        Shards worked on side by side.

    Raises
    ------
    SettingsError
        The shard does not consist of whole chunks.
    """
    if any(shard % chunk for shard, chunk in zip(shard_px, chunk_px, strict=True)):
        raise SettingsError(
            f"shard_px: found {shard_px}, expected multiples of chunk_px {chunk_px}"
        )
    shapes = _level_shapes(shape)
    with replacing(path) as part, ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        attributes = {"ome": _metadata(name, voxel_size_mm, len(shapes))}
        zarr.create_group(part, zarr_format=3, attributes=attributes)
        levels = [
            _create_level(part / str(i), level_shape, chunk_px, shard_px)
            for i, level_shape in enumerate(shapes)
        ]
        pyramid = _Pyramid(levels, block_of, halved_axial if axial else halved, pool)
        for index in np.ndindex(*pyramid.shards_in(len(levels) - 1)):
            pyramid.write_shard(len(levels) - 1, _as_shape(index))


def read_volume(path: Path, level: int = 0) -> zarr.Array:
    """Open one level of a volume; slicing the array (Z, Y, X) reads what is asked for.

    Raises
    ------
    DataError
        The folder holds no such level.
    """
    folder = path / str(level)
    if not (folder / "zarr.json").is_file():
        raise DataError(folder, found="no zarr.json", expected="a Zarr array of an OME-Zarr volume")
    return zarr.open_array(folder, mode="r")


def read_volume_voxel_size_mm(path: Path, level: int = 0) -> tuple[float, float, float]:
    """Return the voxel size (x, y, z) in mm of one level."""
    ome: dict[str, Any] = dict(zarr.open_group(path, mode="r").attrs)["ome"]  # type: ignore[assignment]
    transformations = ome["multiscales"][0]["datasets"][level]["coordinateTransformations"]
    z, y, x = transformations[0]["scale"]
    return (float(x), float(y), float(z))


@dataclass(frozen=True)
class _Pyramid:
    """The levels being written, finest first."""

    levels: list[zarr.Array]
    block_of: BlockOf
    halve: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    pool: ThreadPoolExecutor

    def shards_in(self, level: int) -> Shape:
        """Count the shards of a level along each axis."""
        array = self.levels[level]
        return _as_shape(map(_cells, array.shape, _shard_shape(array)))

    def write_shard(self, level: int, index: Shape) -> NDArray[np.float32]:
        """Write one shard with everything below it, and return it."""
        array = self.levels[level]
        where = _region(index, _shard_shape(array), array.shape)
        block = self.block_of(*where) if level == 0 else self._assembled(level, where)
        array[where] = block
        return block

    def _assembled(self, level: int, where: tuple[slice, ...]) -> NDArray[np.float32]:
        block = np.full([s.stop - s.start for s in where], np.nan, np.float32)
        finer = self.levels[level - 1]
        shard = _shard_shape(finer)
        below = [
            range(2 * s.start // n, _cells(min(2 * s.stop, size), n))
            for s, n, size in zip(where, shard, finer.shape, strict=True)
        ]
        indices = [_as_shape(index) for index in itertools.product(*below)]
        for index, half in zip(indices, self._halves(level - 1, indices), strict=True):
            block[_target(index, shard, half.shape, where)] = half
        return block

    def _halves(self, level: int, indices: list[Shape]) -> Iterator[NDArray[np.float32]]:
        # Threads share the work at the finest level only: that is where nearly all of it is,
        # and memory stays at one shard per thread plus one per level.
        each = self.pool.map if level == 0 else map
        return each(lambda index: self.halve(self.write_shard(level, index)), indices)


def _target(
    index: Shape, shard: Shape, half: tuple[int, ...], where: tuple[slice, ...]
) -> tuple[slice, ...]:
    """Where the halved shard `index` lies within the coarse block at `where`."""
    starts = [i * n // 2 - w.start for i, n, w in zip(index, shard, where, strict=True)]
    return tuple(slice(a, a + n) for a, n in zip(starts, half, strict=True))


def _level_shapes(shape: Shape) -> list[Shape]:
    """Halve, rounding up, until the longest axis is short enough.

    >>> _level_shapes((5, 200, 300))
    [(5, 200, 300), (3, 100, 150), (2, 50, 75)]
    """
    shapes = [shape]
    while max(shapes[-1]) > _COARSEST_PX:
        shapes.append(_as_shape(math.ceil(n / 2) for n in shapes[-1]))
    return shapes


def _create_level(path: Path, shape: Shape, chunk_px: Shape, shard_px: Shape) -> zarr.Array:
    # A shard is not larger than the level needs, which small levels are glad of.
    shards = [min(s, _cells(n, c) * c) for s, n, c in zip(shard_px, shape, chunk_px, strict=True)]
    return zarr.create_array(
        path,
        shape=shape,
        chunks=chunk_px,
        shards=tuple(shards),
        dtype="float32",
        fill_value=np.nan,
        compressors=BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="bitshuffle"),
        dimension_names=("z", "y", "x"),
        zarr_format=3,
    )


def _metadata(
    name: str, voxel_size_mm: tuple[float, float, float], n_levels: int
) -> dict[str, Any]:
    size = voxel_size_mm[::-1]

    def dataset(level: int) -> dict[str, Any]:
        factor = 2**level
        scale = {"type": "scale", "scale": [factor * s for s in size]}
        # The first voxel of a level covers `factor` fine voxels: its centre lies in their middle.
        shift = {"type": "translation", "translation": [(factor - 1) / 2 * s for s in size]}
        return {"path": str(level), "coordinateTransformations": [scale, shift]}

    axes = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    datasets = [dataset(level) for level in range(n_levels)]
    scales = {"name": name, "axes": axes, "datasets": datasets, "type": "mean"}
    return {"version": "0.5", "multiscales": [scales]}


def _region(index: Shape, shard: Shape, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(i * n, min((i + 1) * n, size)) for i, n, size in zip(index, shard, shape, strict=True)
    )
    return z, y, x


def _shard_shape(array: zarr.Array) -> Shape:
    return _as_shape(array.shards or array.chunks)


def _cells(size: int, cell: int) -> int:
    return -(-size // cell)


def _as_shape(values: Any) -> Shape:  # noqa: ANN401 - any iterable of three integers
    z, y, x = values
    return (int(z), int(y), int(x))
