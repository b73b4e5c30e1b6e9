"""Volumes with a pyramid, written shard by shard in one pass.

A shard of a coarse level is put together from the shards of the next finer level while these are
still in memory, so nothing is read back, and memory is bounded by a few shards whatever the size
of the volume. Every shard has one writer, and is finished once its file is there: a volume that
a killed process left behind is continued, and several processes can make shares of it. When a
volume is made again, shards that would be the same are kept (`octflow.io.volume_reuse`).
"""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.pyramid import halved, halved_axial
from octflow.io.atomic import replacing
from octflow.io.behind import Behind
from octflow.io.digest import content_id
from octflow.io.omezarr import Plan, as_shape, begin, cells, is_begun
from octflow.io.shard_reader import Kept, Source, open_level
from octflow.io.shards import Shape, write_chunks, write_shard
from octflow.io.volume_reuse import Band, MadeFrom, bands_of, link_bands, write_bands

BlockOf = Callable[[slice, slice, slice], NDArray[np.float32]]

_FINISHED = ".finished"
"""Folder that tells which shards are there, where they are not files of their own."""
_SHARDS_PER_SHARE = 4
"""At least so many are dealt out to every share, or they would differ much in size."""


def write_volume(
    path: Path,
    plan: Plan,
    *,
    block_of: BlockOf,
    threads: int = 1,
    shares: Sequence[Path] = (),
    made_from: MadeFrom | None = None,
) -> None:
    """Write a volume block by block, with a pyramid.

    Same values, same bytes, for any number of threads and shares.

    Parameters
    ----------
    path : Path
        Folder, ends in .ome.zarr. Appears whole or not at all.
    plan : Plan
        Shape, scale, layout on disk.
    block_of : callable
        Takes slices (z, y, x) with explicit start and stop and returns the float32 values there,
        NaN where there are none. Called once per shard, from `threads` threads; it may use the same
        memory again when called from the same thread.
    threads : int
        Shards worked on side by side.
    shares : sequence of Path
        Folders in which `write_share` has made shards of this volume. They are moved; a share that
        is not there, or of another volume, is done without.
    made_from : callable, optional
        Takes depths (a slice) and returns a digest of what decides the values there. Shards of the
        volume that `path` holds, where that is the same, are kept (version 0.5 only).

    Raises
    ------
    DataError
        Another process took over the unfinished volume.
    """
    bands = None if made_from is None else bands_of(plan, made_from)
    if bands is not None:
        plan = replace(plan, made_from=content_id(bands))
    resumable = partial(is_begun, plan=plan) if plan.made_from is not None else None
    with replacing(path, resumable=resumable) as part:
        with _open_pyramid(part, plan, block_of, threads) as pyramid:
            if bands is not None and plan.version == "0.5":
                pyramid.kept.update(link_bands(path, part, plan, bands))
            for share in shares:
                if is_begun(share, plan):
                    _move_shards(share, part)
            for index in pyramid.indices(len(pyramid.levels) - 1):
                pyramid.write_shard(len(pyramid.levels) - 1, index)
        if not is_begun(part, plan):
            raise DataError(part, found="no metadata", expected="those that were written")
        shutil.rmtree(part / _FINISHED, ignore_errors=True)
        if bands is not None:
            write_bands(part, bands)
    for share in shares:
        shutil.rmtree(share, ignore_errors=True)


def write_share(
    folder: Path, plan: Plan, *, block_of: BlockOf, number: int, of: int, threads: int = 1
) -> int:
    """Write a share of the shards of a volume into a folder of its own, for `write_volume`.

    Parameters
    ----------
    folder : Path
        Where they go. What a killed process left of the same share is gone on with.
    plan, block_of, threads
        See `write_volume`.
    number, of : int
        Which share it is, from 1, and how many there are.

    Returns
    -------
    n_shards : int
        Shards it consists of, each with all finer ones below it.
    """
    if not is_begun(folder, plan):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with _open_pyramid(folder, plan, block_of, threads) as pyramid:
        level = pyramid.level_dealt_out(of)
        indices = list(pyramid.indices(level))
        share = indices[len(indices) * (number - 1) // of : len(indices) * number // of]
        for index in share:
            pyramid.write_shard(level, index)
    return len(share)


@dataclass(frozen=True)
class _Pyramid:
    """The levels being written, finest first."""

    folder: Path
    plan: Plan
    levels: list[Source]
    block_of: BlockOf
    pool: ThreadPoolExecutor
    behind: Behind
    kept: set[Band] = field(default_factory=set)
    """Bands of the former volume: a shard that is not there has no values."""

    def indices(self, level: int) -> Iterator[Shape]:
        """Yield the places of the shards of a level."""
        counts = map(cells, self.plan.shapes[level], self.plan.shard_of(level))
        return map(as_shape, np.ndindex(*counts))

    def level_dealt_out(self, shares: int) -> int:
        """Return the coarsest level with enough shards for all shares."""
        counts = [len(list(self.indices(level))) for level in range(len(self.levels))]
        enough = [i for i, count in enumerate(counts) if count >= _SHARDS_PER_SHARE * shares]
        return max(enough, default=0)

    def write_shard(self, level: int, index: Shape) -> NDArray[np.float32]:
        """Write one shard with everything below it, unless it is there, and return it."""
        where = _region(index, self.plan.shard_of(level), self.plan.shapes[level])
        if Band(level, index[0]) in self.kept or self._finished(level, index).is_file():
            return np.asarray(self.levels[level][where], np.float32)
        block = self.block_of(*where) if level == 0 else self._assembled(level, where)
        self._write(level, index, block)
        return block

    def _finished(self, level: int, index: Shape) -> Path:
        """Return the file that tells that a shard is there."""
        top = self.folder / str(level) / "c"
        if self.plan.version == "0.4":
            top = self.folder / _FINISHED / str(level)
        return top.joinpath(*map(str, index))

    def _write(self, level: int, index: Shape, block: NDArray[np.float32]) -> None:
        path, shard, chunk = (
            self._finished(level, index),
            self.plan.shard_of(level),
            self.plan.chunk_px,
        )
        if self.plan.version == "0.5":
            write_shard(path, block, chunk_px=chunk, shard_px=shard, behind=self.behind)
            return
        first = as_shape(i * s // c for i, s, c in zip(index, shard, chunk, strict=True))
        folder = self.folder / str(level)
        write_chunks(folder, block, first=first, chunk_px=chunk, behind=self.behind)
        with self.behind.replacing(path) as part:
            part.touch()

    def _assembled(self, level: int, where: tuple[slice, ...]) -> NDArray[np.float32]:
        block = np.full([s.stop - s.start for s in where], np.nan, np.float32)
        shard, shape = self.plan.shard_of(level - 1), self.plan.shapes[level - 1]
        below = [
            range(2 * s.start // n, cells(min(2 * s.stop, size), n))
            for s, n, size in zip(where, shard, shape, strict=True)
        ]
        indices = [as_shape(index) for index in itertools.product(*below)]
        for index, half in zip(indices, self._halves(level - 1, indices), strict=True):
            block[_target(index, shard, half.shape, where)] = half
        return block

    def _halves(self, level: int, indices: list[Shape]) -> Iterator[NDArray[np.float32]]:
        # Threads share the work at the finest level only: that is where nearly all of it is,
        # and memory stays at one shard per thread plus one per level.
        each = self.pool.map if level == 0 else map
        halve = halved_axial if self.plan.axial else halved
        return each(lambda index: halve(self.write_shard(level, index)), indices)


@contextmanager
def _open_pyramid(folder: Path, plan: Plan, block_of: BlockOf, threads: int) -> Iterator[_Pyramid]:
    with Behind() as behind, ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        if not is_begun(folder, plan):
            begin(folder, plan)
        levels = [open_level(folder, i, Kept(1)) for i in range(len(plan.shapes))]
        yield _Pyramid(folder, plan, levels, block_of, pool, behind)


def _move_shards(share: Path, part: Path) -> None:
    """Move what a share holds: finer shards first, then what tells of them, then the metadata."""
    files = [path.relative_to(share) for path in share.rglob("*") if path.is_file()]
    whole = [path for path in files if not path.name.startswith(".part-")]
    for path in sorted(
        whole, key=lambda path: (len(path.parts) == 1, path.parts[0] == _FINISHED, path)
    ):
        target = part / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (share / path).replace(target)


def _target(
    index: Shape, shard: Shape, half: tuple[int, ...], where: tuple[slice, ...]
) -> tuple[slice, ...]:
    """Where the halved shard `index` lies within the coarse block at `where`."""
    starts = [i * n // 2 - w.start for i, n, w in zip(index, shard, where, strict=True)]
    return tuple(slice(a, a + n) for a, n in zip(starts, half, strict=True))


def _region(index: Shape, shard: Shape, shape: Shape) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(i * n, min((i + 1) * n, size)) for i, n, size in zip(index, shard, shape, strict=True)
    )
    return z, y, x
