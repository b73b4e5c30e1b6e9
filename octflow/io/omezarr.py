"""OME-Zarr 0.5: sharded volumes with a pyramid, made shard by shard in one pass.

A shard of a coarse level is put together from the shards of the next finer level while these are
still in memory, so nothing is read back, and memory is bounded by a few shards whatever the size
of the volume. Every shard has one writer, and is finished once its file is there: a volume that
a killed process left behind is continued.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from octflow.core.errors import DataError, SettingsError
from octflow.core.pyramid import halved, halved_axial
from octflow.io.atomic import replacing
from octflow.io.behind import Behind
from octflow.io.digest import content_id
from octflow.io.shards import CODEC, write_shard

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
    made_from: str | None = None,
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
        NaN where there are none. Called once per shard, from `threads` threads; it may use the same
        memory again when called from the same thread.
    axial : bool
        The values are axis angles in degrees: coarser levels are their axial means.
    name : str
        Name of the picture shown by viewers.
    chunk_px, shard_px : (3,) ints
        Sizes (z, y, x) of what is compressed together and of what lies in one file.
    threads : int
        Shards worked on side by side.
    made_from : str, optional
        Digest of whatever decides the values: what a killed process left of the same volume is
        continued, its finished shards are not asked for again. It stands in the metadata.

    Raises
    ------
    SettingsError
        The shard does not consist of whole chunks.
    DataError
        Another process took over the unfinished volume.
    """
    if any(shard % chunk for shard, chunk in zip(shard_px, chunk_px, strict=True)):
        raise SettingsError(
            f"shard_px: found {shard_px}, expected multiples of chunk_px {chunk_px}"
        )
    shapes = _level_shapes(shape)
    attributes: dict[str, Any] = {"ome": _metadata(name, voxel_size_mm, len(shapes))}
    if made_from is not None:
        decided_by = [made_from, shape, chunk_px, shard_px, axial]
        attributes["octflow"] = {"made_from": content_id(decided_by)}
    resumable = partial(_is_begun, attributes=attributes) if made_from is not None else None
    with (
        replacing(path, resumable=resumable) as part,
        Behind() as behind,
        ThreadPoolExecutor(max_workers=max(1, threads)) as pool,
    ):
        if not _is_begun(part, attributes):
            _begin(part, attributes, shapes, chunk_px, shard_px)
        levels = [zarr.open_array(part / str(i), mode="r") for i in range(len(shapes))]
        pyramid = _Pyramid(part, levels, block_of, halved_axial if axial else halved, pool, behind)
        for index in np.ndindex(*pyramid.shards_in(len(levels) - 1)):
            pyramid.write_shard(len(levels) - 1, _as_shape(index))
        if not _is_begun(part, attributes):
            raise DataError(part, found="no metadata", expected="those that were written")


def _begin(
    part: Path, attributes: dict[str, Any], shapes: list[Shape], chunk_px: Shape, shard_px: Shape
) -> None:
    """Write all metadata; those of the group come last and tell that the others are there."""
    for i, shape in enumerate(shapes):
        _create_level(part / str(i), shape, chunk_px, shard_px)
    with replacing(part / "zarr.json") as metadata:
        content = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
        metadata.write_text(json.dumps(content, indent=2))


def _is_begun(part: Path, attributes: dict[str, Any]) -> bool:
    """Tell whether a folder holds the metadata of this very volume."""
    try:
        found = json.loads((part / "zarr.json").read_bytes())["attributes"]
    except OSError:
        return False
    return bool(found == attributes)


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

    folder: Path
    levels: list[zarr.Array]
    block_of: BlockOf
    halve: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    pool: ThreadPoolExecutor
    behind: Behind

    def shards_in(self, level: int) -> Shape:
        """Count the shards of a level along each axis."""
        array = self.levels[level]
        return _as_shape(map(_cells, array.shape, _shard_shape(array)))

    def write_shard(self, level: int, index: Shape) -> NDArray[np.float32]:
        """Write one shard with everything below it, unless it is there, and return it."""
        array = self.levels[level]
        shard_px = _shard_shape(array)
        where = _region(index, shard_px, array.shape)
        path = self.folder.joinpath(str(level), "c", *map(str, index))
        if path.is_file():
            return np.asarray(array[where])
        block = self.block_of(*where) if level == 0 else self._assembled(level, where)
        chunk_px = _as_shape(array.chunks)
        write_shard(path, block, chunk_px=chunk_px, shard_px=shard_px, behind=self.behind)
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


def _create_level(path: Path, shape: Shape, chunk_px: Shape, shard_px: Shape) -> None:
    # A shard is not larger than the level needs, which small levels are glad of.
    shards = [min(s, _cells(n, c) * c) for s, n, c in zip(shard_px, shape, chunk_px, strict=True)]
    zarr.create_array(
        path,
        shape=shape,
        chunks=chunk_px,
        shards=tuple(shards),
        dtype="float32",
        fill_value=np.nan,
        compressors=CODEC,
        dimension_names=("z", "y", "x"),
        zarr_format=3,
        overwrite=True,  # What is there may be half written.
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
