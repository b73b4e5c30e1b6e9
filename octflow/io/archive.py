"""The archive copy of a raw tile: reproducible gzip that any tool opens.

The copy is a row of gzip members of one block each, which the format allows and every reader
joins. Members are packed and read back side by side; the bytes do not depend on how many.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import deflate
import numpy as np
import xxhash
from isal import igzip_lib
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.compressed import is_compressed, reading

_BLOCK = 1 << 20


class ArchiveWriter:
    """A copy that is packed, written and read back as the bytes of the raw file come.

    Every member is read from the file again and unpacked soon after it was written, while its
    block is still at hand to be compared with. Made by `archiving`.

    Parameters
    ----------
    target : Path
        What the copy will be called.
    file : BinaryIO
        Open for writing and reading.
    level : int
        0 (fastest), 1 (fast), 2 to 12 (small).
    pool : Executor
        Packs and unpacks.
    ahead : int
        Blocks waited for at a time, at most.
    """

    def __init__(
        self, target: Path, file: BinaryIO, *, level: int, pool: Executor, ahead: int
    ) -> None:
        self.raw_bytes = 0
        self._target = target
        self._file = file
        self._level = level
        self._pool = pool
        self._ahead = ahead
        self._rest = bytearray()
        self._digest = xxhash.xxh3_128()
        self._members = 0
        self._end = 0
        self._packing: deque[tuple[bytes, Future[bytes]]] = deque()
        self._checking: deque[Future[None]] = deque()

    def write(self, content: bytes | NDArray[np.uint8]) -> None:
        """Take the next bytes; their memory may be used again afterwards.

        Raises
        ------
        DataError
            What can be read back is not what was written.
        """
        left = memoryview(content)  # type: ignore[arg-type]
        self.raw_bytes += len(left)
        while len(self._rest) + len(left) >= _BLOCK:
            taken = _BLOCK - len(self._rest)
            self._pack(bytes(self._rest) + left[:taken])
            self._rest.clear()
            left = left[taken:]
        self._rest += left

    def finish(self) -> None:
        """Write and read back what is left; an empty file has one empty member."""
        if self._rest or not self.raw_bytes:
            self._pack(bytes(self._rest))
        self._settle(0)

    @property
    def copy(self) -> Product:
        """The copy, with its digest, which is taken as it is written."""
        packed_id = f"xxh3:{self._digest.hexdigest()}"
        return Product(id=packed_id, path=str(self._target), bytes=self._end, role="archived")

    def _pack(self, block: bytes) -> None:
        packed = self._pool.submit(_member, block, self._level, self._members)
        self._members += 1
        self._packing.append((block, packed))
        self._settle(self._ahead)

    def _settle(self, ahead: int) -> None:
        """Wait until no more than so many members are being packed, and being checked."""
        while len(self._packing) > ahead:
            block, packed = self._packing.popleft()
            member = packed.result()
            self._file.write(member)
            self._file.flush()
            self._digest.update(member)
            self._checking.append(self._pool.submit(self._check, block, self._end, len(member)))
            self._end += len(member)
        while len(self._checking) > ahead:
            self._checking.popleft().result()

    def _check(self, block: bytes, start: int, length: int) -> None:
        packed = os.pread(self._file.fileno(), length, start)
        try:
            back = deflate.gzip_decompress(packed, len(block))
        except deflate.DeflateError as error:
            raise DataError(
                self._target, found=f"damaged: {error}", expected="what was written"
            ) from error
        if back != block:
            raise DataError(
                self._target, found=f"other bytes after {start}", expected="what was written"
            )


@contextmanager
def archiving(target: Path, *, level: int, threads: int = 1) -> Iterator[ArchiveWriter]:
    """Yield the writer of a copy; the copy is there, verified, when the block succeeds.

    Parameters
    ----------
    target : Path
        Ends in .gz. Neither the name nor the time is kept in it: same content, same bytes.
    level : int
        0 (fastest), 1 (fast), 2 to 12 (small).
    threads : int
        Blocks packed side by side; with 1 the work is done in the thread that writes.

    Raises
    ------
    DataError
        What can be read back is not what was written.
    """
    pool = ThreadPoolExecutor(max_workers=threads) if threads > 1 else _Here()
    ahead = 2 * threads if threads > 1 else 0
    with replacing(target) as part, part.open("w+b") as file, pool:
        writer = ArchiveWriter(target, file, level=level, pool=pool, ahead=ahead)
        yield writer
        writer.finish()


def archive_file(
    source: Path, target: Path, *, level: int, threads: int = 1, expected_bytes: int | None = None
) -> tuple[str, Product]:
    """Compress a file, digest it and read the copy back in the same pass.

    Parameters
    ----------
    source : Path
        Raw file; only read, and read once. One that is compressed is unpacked first, so that its
        copy is that of the raw file.
    target, level, threads
        As for `archiving`.
    expected_bytes : int, optional
        Size the file had when it was taken in.

    Returns
    -------
    raw_id : str
        SHA-256 id of the raw bytes.
    copy : Product
        The copy.

    Raises
    ------
    DataError
        The file has another size than expected, or what can be read back is not what was read.
    """
    digest = hashlib.sha256()
    with archiving(target, level=level, threads=threads) as writer:
        with reading(source) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                writer.write(block)
        check_size(source, writer.raw_bytes, expected_bytes)
    return f"sha256:{digest.hexdigest()}", writer.copy


def check_size(source: Path, found: int, expected: int | None) -> None:
    """Refuse a raw file that has not the size any more with which it was taken in.

    Of one that is compressed another size was taken in than that of what was read.
    """
    if not is_compressed(source) and expected is not None and found != expected:
        raise DataError(source, found=f"{found} bytes", expected=f"{expected} bytes, as taken in")


def content_digest(path: Path) -> str:
    """Return the SHA-256 of what a gzip file unpacks to.

    Raises
    ------
    DataError
        The file is damaged.
    """
    digest = hashlib.sha256()
    with reading(path) as unpacked:
        while block := unpacked.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _member(block: bytes, level: int, number: int) -> bytes:
    """Pack the block of a number.

    ISA-L is four times as fast as libdeflate, and on spectra its blocks are 7 % larger. Level 0
    has it pack every block, level 1 every second.
    """
    if level == 0 or (level == 1 and number % 2 == 0):
        return igzip_lib.compress(block, 3, igzip_lib.COMP_GZIP)
    return bytes(deflate.gzip_compress(block, 5 if level == 1 else level))


class _Here(Executor):
    """Does the work at once, in the thread that asks for it."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:  # noqa: ANN401
        """Return what is already done."""
        done: Future[Any] = Future()
        done.set_result(work(*args, **named))
        return done
