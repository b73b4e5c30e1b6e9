"""Shards of Zarr 3: compressed chunks and, behind them, the index that says where each lies.

Encoded here, chunk after chunk straight into the file: zarr-python reads such shards well, but
takes twice the time of the processor to write them. Chunks of Zarr 2 are written by the way.
"""

from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import numcodecs
import numcodecs.blosc
import numpy as np
from numba import njit
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from octflow.io.behind import Behind

Shape = tuple[int, int, int]
Volume = NDArray[np.float32]

CODEC = BloscCodec(typesize=4, cname="lz4", clevel=1, shuffle="bitshuffle", blocksize=2**15)
"""On the noise of OCT the fastest of those that make it small; its blocks stay in the caches."""

CODEC_OF_CHUNKS = numcodecs.Blosc(
    cname=CODEC.cname.value,
    clevel=CODEC.clevel,
    shuffle=numcodecs.Blosc.BITSHUFFLE,
    blocksize=CODEC.blocksize,
)
"""The same for Zarr 2, where every chunk is a file."""

ABSENT = 2**64 - 1
"""Offset and length of a chunk without values."""

# Threads of Blosc finish blocks in any order, and with it the bytes would differ.
numcodecs.blosc.use_threads = False


def write_shard(
    path: Path, block: Volume, *, chunk_px: Shape, shard_px: Shape, behind: Behind
) -> None:
    """Write one shard; chunks without values take no space, a shard without any no file.

    Parameters
    ----------
    path : Path
        File, appears whole or not at all.
    block : (Z, Y, X) float32 array
        NaN where there is no value; may be smaller than the shard at the end of a volume.
    chunk_px, shard_px : (3,) ints
        Sizes (z, y, x) of a chunk and of the shard, a multiple of it.
    behind : Behind
        Flushes the file to disk.
    """
    if _is_empty(block):
        return
    cells = [s // c for s, c in zip(shard_px, chunk_px, strict=True)]
    index = np.full((*cells, 2), ABSENT, "<u8")
    with behind.replacing(path) as part, part.open("wb") as file:
        for place, chunk in _chunks_of(block, chunk_px):
            start = file.tell()
            index[place] = start, file.write(_compressed(chunk, chunk_px))
        file.write(index.tobytes())
        file.write(google_crc32c.value(index.tobytes()).to_bytes(4, "little"))


def write_chunks(
    folder: Path, block: Volume, *, first: Shape, chunk_px: Shape, behind: Behind
) -> None:
    """Write a block as chunks of Zarr 2; those without values get no file.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    block : (Z, Y, X) float32 array
        NaN where there is no value.
    first : (3,) ints
        Place of the first chunk of the block among those of the array.
    chunk_px : (3,) ints
        Size (z, y, x) of a chunk.
    behind : Behind
        Flushes the files to disk.
    """
    for place, chunk in _chunks_of(block, chunk_px):
        path = folder.joinpath(*(str(a + i) for a, i in zip(first, place, strict=True)))
        with behind.replacing(path) as part:
            part.write_bytes(_compressed(chunk, chunk_px))


def _chunks_of(block: Volume, chunk_px: Shape) -> Iterator[tuple[tuple[int, ...], Volume]]:
    """Yield the places and values of the chunks that have any."""
    for place in np.ndindex(*(-(-n // c) for n, c in zip(block.shape, chunk_px, strict=True))):
        where = (slice(i * n, (i + 1) * n) for i, n in zip(place, chunk_px, strict=True))
        chunk = block[tuple(where)]
        if not _is_empty(chunk):
            yield place, chunk


def _compressed(chunk: Volume, chunk_px: Shape) -> bytes:
    whole = np.full(chunk_px, np.nan, np.float32) if chunk.shape != chunk_px else chunk
    if whole is not chunk:
        whole[tuple(slice(0, n) for n in chunk.shape)] = chunk
    return numcodecs.blosc.compress(
        np.ascontiguousarray(whole),
        CODEC.cname.value.encode(),
        CODEC.clevel,
        numcodecs.blosc.BITSHUFFLE,
        CODEC.blocksize,
        typesize=CODEC.typesize,
    )


@njit(nogil=True, cache=True)
def _is_empty(block: Volume) -> bool:
    for z, y, x in np.ndindex(block.shape):  # noqa: SIM110 - compiled, and left early
        if not np.isnan(block[z, y, x]):
            return False
    return True
