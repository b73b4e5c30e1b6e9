"""The archive copy of a raw tile: reproducible gzip that any tool opens.

The copy is a row of gzip members of one block each, which the format allows and every reader
joins. Members are packed and read back side by side; the bytes do not depend on how many.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

import deflate
from isal import igzip, igzip_lib, isal_zlib

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

_BLOCK = 1 << 20
_T = TypeVar("_T")
_R = TypeVar("_R")


def archive_file(
    source: Path, target: Path, *, level: int, threads: int = 1, expected_bytes: int | None = None
) -> str:
    """Compress a file and digest it in the same pass, then read the copy back.

    Parameters
    ----------
    source : Path
        Raw file; only read, and read once.
    target : Path
        Ends in .gz. Neither the name nor the time is kept in it: same content, same bytes.
    level : int
        0 (fastest), 1 (fast) to 12 (small).
    threads : int
        Blocks packed side by side.
    expected_bytes : int, optional
        Size the file had when it was taken in.

    Returns
    -------
    id : str
        SHA-256 id of the raw bytes.

    Raises
    ------
    DataError
        The file has another size than expected, or what can be read back is not what was read.
    """
    digest, sizes = hashlib.sha256(), []

    def pack(block: bytes) -> tuple[int, bytes]:
        return len(block), _member(block, level)

    with replacing(target) as part, ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        with source.open("rb") as file, part.open("wb") as packed:
            blocks = _digested(_blocks(file), digest)
            for size, member in _in_order(pool, pack, blocks, ahead=2 * threads):
                sizes.append((size, len(member)))
                packed.write(member)
        _check_size(source, sum(size for size, _ in sizes), expected_bytes)
        back = _digest_members(part, sizes, pool, ahead=2 * threads)
        if back != digest.hexdigest():
            raise DataError(target, found=f"sha256 {back}", expected=digest.hexdigest())
    return f"sha256:{digest.hexdigest()}"


def content_digest(path: Path) -> str:
    """Return the SHA-256 of what a gzip file unpacks to.

    Raises
    ------
    DataError
        The file is damaged.
    """
    digest = hashlib.sha256()
    try:
        with igzip.open(path, "rb") as packed:
            while block := packed.read(_BLOCK):
                digest.update(block)
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(path, found=f"damaged gzip: {error}", expected="whole gzip") from error
    return digest.hexdigest()


def _member(block: bytes, level: int) -> bytes:
    """Pack a block; at level 0 with ISA-L, thrice as fast as libdeflate and less small."""
    if level == 0:
        return igzip_lib.compress(block, 3, igzip_lib.COMP_GZIP)
    return bytes(deflate.gzip_compress(block, level))


def _check_size(source: Path, found: int, expected: int | None) -> None:
    if expected is not None and found != expected:
        raise DataError(source, found=f"{found} bytes", expected=f"{expected} bytes, as taken in")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Cut a file into blocks; an empty one has one empty block, for gzip needs a member."""
    yield file.read(_BLOCK)
    while block := file.read(_BLOCK):
        yield block


def _digested(blocks: Iterator[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[_T], _R], items: Iterator[_T], *, ahead: int
) -> Iterator[_R]:
    """Work on items side by side, in order, holding no more than `ahead` of them."""
    waiting: deque[Future[_R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _digest_members(
    path: Path, sizes: list[tuple[int, int]], pool: ThreadPoolExecutor, *, ahead: int
) -> str:
    """Return the SHA-256 of what members of known sizes (unpacked, packed) unpack to."""

    def unpack(member: tuple[int, bytes]) -> bytes:
        try:
            return bytes(deflate.gzip_decompress(member[1], member[0]))
        except deflate.DeflateError as error:
            raise DataError(path, found=f"damaged: {error}", expected="what was written") from error

    digest = hashlib.sha256()
    with path.open("rb") as packed:
        members = ((size, packed.read(length)) for size, length in sizes)
        for block in _in_order(pool, unpack, members, ahead=ahead):
            digest.update(block)
    return digest.hexdigest()
