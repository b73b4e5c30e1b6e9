"""Blocks of volumes in shards, read without detours.

zarr-python reads such volumes well, but takes several times the time of unpacking itself. What is
unpacked is kept for a while, for blocks that overlap: the same chunk is asked for by up to eight.
"""

import json
import sys
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numcodecs.blosc
import numpy as np
from numpy.typing import NDArray

from octflow.io.omezarr import as_shape, read_volume
from octflow.io.shards import ABSENT, Shape

Volume = NDArray[np.float32]
Where = tuple[slice, slice, slice]

_INDEX_END_BYTES = 4
"""Checksum behind the index of a shard."""
_SHARDS_KNOWN = 1024


class Source(Protocol):
    """An array (Z, Y, X), in memory or on disk, that is read by slicing."""

    shape: tuple[int, ...]

    def __getitem__(self, where: Where, /) -> Any:  # noqa: ANN401
        """Read a block; Zarr's arrays promise less than the array it is."""


class Kept:
    """Chunks that were read last, of any number of volumes and threads.

    Parameters
    ----------
    chunks : int
        How many are kept.
    """

    def __init__(self, chunks: int) -> None:
        self._room, self._chunks = chunks, OrderedDict[object, Volume | None]()
        self._free: list[Volume] = []
        self._lock = threading.Lock()

    def find(self, key: object) -> tuple[bool, Volume | None]:
        """Tell whether a chunk is here, and return it; None has no values."""
        with self._lock:
            if key not in self._chunks:
                return False, None
            self._chunks.move_to_end(key)
            return True, self._chunks[key]

    def keep(self, key: object, chunk: Volume | None) -> None:
        """Keep a chunk in place of the one that was asked for longest ago."""
        with self._lock:
            self._chunks[key] = chunk
            while len(self._chunks) > self._room:
                _, gone = self._chunks.popitem(last=False)
                # One reference is `gone`, one the call: nobody else reads it, or can any more.
                if gone is not None and sys.getrefcount(gone) == 2:
                    self._free.append(gone)

    def memory(self, shape: Shape) -> Volume:
        """Return memory for a chunk: that of one that made room, if any, as it is."""
        with self._lock:
            while self._free:
                if (chunk := self._free.pop()).shape == shape:
                    return chunk
        return np.empty(shape, np.float32)


class ShardedVolume:
    """One level of a volume as `octflow.io.volume_writer` writes them; slicing reads.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    kept : Kept
        Where unpacked chunks go.
    """

    def __init__(self, folder: Path, kept: Kept) -> None:
        metadata = json.loads((folder / "zarr.json").read_bytes())
        self.shape: tuple[int, ...] = as_shape(metadata["shape"])
        self._shard = as_shape(metadata["chunk_grid"]["configuration"]["chunk_shape"])
        self._chunk = as_shape(metadata["codecs"][0]["configuration"]["chunk_shape"])
        self._folder, self._kept = folder, kept
        self._index_of = lru_cache(maxsize=_SHARDS_KNOWN)(self._read_index)

    def __getitem__(self, where: Where, /) -> Volume:
        """Read a block (Z, Y, X), NaN where there is no value.

        Parameters
        ----------
        where : (3,) slices
            With explicit bounds inside the volume.
        """
        block = np.empty([s.stop - s.start for s in where], np.float32)
        self.read_into(where, block)
        return block

    def read_into(self, where: Where, block: Volume) -> None:
        """Read into a block (Z, Y, X)."""
        first = [s.start // n for s, n in zip(where, self._chunk, strict=True)]
        stop = [-(-s.stop // n) for s, n in zip(where, self._chunk, strict=True)]
        for place in np.ndindex(*(b - a for a, b in zip(first, stop, strict=True))):
            index = as_shape(a + i for a, i in zip(first, place, strict=True))
            target, part = _overlap(index, self._chunk, where)
            chunk = self._chunk_at(index)
            block[target] = np.nan if chunk is None else chunk[part]

    def _chunk_at(self, index: Shape) -> Volume | None:
        key = (self._folder, index)
        there, chunk = self._kept.find(key)
        if not there:
            chunk = self._read_chunk(index)
            self._kept.keep(key, chunk)
        return chunk

    def _read_chunk(self, index: Shape) -> Volume | None:
        per_shard = [s // c for s, c in zip(self._shard, self._chunk, strict=True)]
        shard = as_shape(i // n for i, n in zip(index, per_shard, strict=True))
        lies = self._index_of(shard)
        if lies is None:
            return None
        offset, n_bytes = lies[tuple(i % n for i, n in zip(index, per_shard, strict=True))]
        if offset == ABSENT:
            return None
        chunk = self._kept.memory(self._chunk)
        with self._path(shard).open("rb", buffering=0) as file:
            file.seek(int(offset))
            numcodecs.blosc.decompress(file.read(int(n_bytes)), chunk)
        return chunk

    def _read_index(self, shard: Shape) -> NDArray[np.uint64] | None:
        """Return offset and length of the chunks of a shard; None where it has no values."""
        cells = [s // c for s, c in zip(self._shard, self._chunk, strict=True)]
        n_bytes = int(np.prod(cells)) * 16
        try:
            with self._path(shard).open("rb") as file:
                file.seek(-n_bytes - _INDEX_END_BYTES, 2)
                return np.frombuffer(file.read(n_bytes), "<u8").reshape(*cells, 2)
        except FileNotFoundError:
            return None

    def _path(self, shard: Shape) -> Path:
        return self._folder.joinpath("c", *map(str, shard))


def open_volume(path: Path, kept: Kept) -> Source:
    """Open the finest level of a volume for blocks; those in other forms by zarr-python.

    Raises
    ------
    DataError
        The folder holds no such level.
    """
    return open_level(path, 0, kept)


def open_level(path: Path, level: int, kept: Kept) -> Source:
    """Open any level of a volume likewise."""
    folder = path / str(level)
    return ShardedVolume(folder, kept) if _is_ours(folder) else read_volume(path, level)


def read_into(source: Source, where: Where, block: Volume) -> None:
    """Fill a block (Z, Y, X) from a source, within its bounds."""
    if isinstance(source, ShardedVolume):
        source.read_into(where, block)
    else:
        block[:] = source[where]


def _is_ours(folder: Path) -> bool:
    if not (folder / "zarr.json").is_file():
        return False
    content = json.loads((folder / "zarr.json").read_bytes())
    first = content["codecs"][0]
    inner = [codec["name"] for codec in first.get("configuration", {}).get("codecs", [])]
    sharded = first["name"] == "sharding_indexed" and inner == ["bytes", "blosc"]
    plain = content["data_type"] == "float32" and content["chunk_key_encoding"]["name"] == "default"
    return bool(sharded and plain and first["configuration"].get("index_location") == "end")


def _overlap(index: Shape, chunk: Shape, where: Where) -> tuple[Where, Where]:
    """Return where a chunk lies in a block, and which part of the chunk that is."""
    starts = [i * n for i, n in zip(index, chunk, strict=True)]
    inside = [
        (max(a, w.start), min(a + n, w.stop)) for a, n, w in zip(starts, chunk, where, strict=True)
    ]
    z, y, x = (slice(a - w.start, b - w.start) for (a, b), w in zip(inside, where, strict=True))
    of_z, of_y, of_x = (slice(a - s, b - s) for (a, b), s in zip(inside, starts, strict=True))
    return (z, y, x), (of_z, of_y, of_x)
