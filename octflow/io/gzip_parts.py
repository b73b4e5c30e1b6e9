"""A gzip file out of parts that are compressed by themselves, so that they can be kept.

Compression begins anew with every part, and every part ends at a byte: those that a new version of
the file has in common with the former one are copied as they are. All parts together are one
member, for there are readers that stop after the first. The extra field of its header, which
readers skip, names for every part a key, a digest, sizes and checksum; nothing lies beside the
file that could be lost, or of another version.
"""

import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import xxhash
from isal import isal_zlib

from octflow.io.atomic import replacing

Blocks = Iterable[Sequence[Any]]
"""Contiguous buffers, one for every run at a time."""

_LEVEL = 3
_HEADER = struct.Struct("<4sIBBH")
_START = b"\x1f\x8b\x08\x04"
"""gzip, deflate, with an extra field; no name and no time: same content, same bytes."""
_SUBFIELD = struct.Struct("<2sH")
_NAME = b"op"
_ENTRY = struct.Struct("<16s8sIQQ")
_MAX_ENTRIES = (2**16 - 1 - _SUBFIELD.size) // _ENTRY.size
_LAST_BLOCK = b"\x03\x00"
_END = struct.Struct("<II")
_COPIED_BYTES = 1 << 22


class _Part(NamedTuple):
    """A part as it lies in a file."""

    key: bytes
    digest: bytes
    """Of the compressed bytes."""
    crc: int
    packed: int
    """Bytes in the file."""
    size: int
    """Bytes of content."""
    file: IO[bytes]
    offset: int


class _DamagedError(Exception):
    """A part of the former file is not what its digest says."""


@dataclass
class _Parts:
    """Parts by key, those of the former file and those that were made."""

    known: dict[bytes, _Part]
    spool: IO[bytes]

    def make(self, keys: Sequence[bytes], blocks: Blocks) -> None:
        """Compress one part per run, side by side as their blocks come."""
        packers = [_Packer() for _ in keys]
        for buffers in blocks:
            for packer, buffer in zip(packers, buffers, strict=True):
                packer.add(buffer)
        for key, packer in zip(keys, packers, strict=True):
            self.known[key] = packer.stored(key, self.spool)


def write_gzip_parts(
    path: Path,
    start: bytes,
    keys: Sequence[str],
    blocks_of: Callable[[int], Blocks],
    *,
    runs: int = 1,
) -> list[int]:
    """Write `start`, then for every run one part per key; keep the parts that are there already.

    Parameters
    ----------
    path : Path
        Written whole or not at all. The same content gives the same bytes, whatever was there.
    start : bytes
        What comes first, always made anew.
    keys : sequence of str
        What decides the content of a part, all runs together. Equal keys are made once.
    blocks_of : callable
        Takes the place of a key and returns the content of its parts, block by block.
    runs : int
        How often the keys are gone through: components that lie one after the other.

    Returns
    -------
    made : list of int
        Places of the keys that were asked for.
    """
    by_run = [[_digest(f"{run}:{key}".encode()) for key in keys] for run in range(runs)]
    made: list[int] = []
    with (
        _former(path) as former,
        tempfile.TemporaryFile(dir=_folder_of(path)) as spool,
        replacing(path) as part,
    ):
        # The start is always made anew.
        parts = _Parts({part.key: part for part in former.parts[1:]}, spool)
        parts.make([b""], [[start]])
        order = [b"", *(key for run in by_run for key in run)]
        while True:
            for i, own in enumerate(zip(*by_run, strict=True)):
                if not all(key in parts.known for key in own):
                    parts.make(own, blocks_of(i))
                    made.append(i)
            try:
                _assemble(part, [parts.known[key] for key in order])
            except _DamagedError as damaged:
                del parts.known[damaged.args[0]]
            else:
                return made


def read_gzip_part(path: Path, place: int) -> bytes | None:
    """Return the content of one part, of which the start is number 0, by itself.

    None where the file does not list its parts.
    """
    with _former(path) as former:
        if not former.parts:
            return None
        part = former.parts[place]
        part.file.seek(part.offset)
        unpack = isal_zlib.decompressobj(wbits=-isal_zlib.MAX_WBITS)
        return bytes(unpack.decompress(part.file.read(part.packed)))


class _Packer:
    """Compresses one part."""

    def __init__(self) -> None:
        self._deflate = isal_zlib.compressobj(level=_LEVEL, wbits=-isal_zlib.MAX_WBITS)
        self._packed: list[bytes] = []
        self._crc = self._size = 0

    def add(self, buffer: Any) -> None:  # noqa: ANN401 - bytes, or an array
        view = memoryview(buffer).cast("B")
        self._crc = isal_zlib.crc32(view, self._crc)
        self._size += view.nbytes
        self._packed.append(self._deflate.compress(view))

    def stored(self, key: bytes, spool: IO[bytes]) -> _Part:
        """End at a byte, and append the part to a file."""
        self._packed.append(self._deflate.flush(isal_zlib.Z_SYNC_FLUSH))
        digest = xxhash.xxh3_64()
        offset = spool.seek(0, os.SEEK_END)
        for block in self._packed:
            digest.update(block)
            spool.write(block)
        packed = sum(map(len, self._packed))
        return _Part(key, digest.digest(), self._crc, packed, self._size, spool, offset)


@dataclass
class _Former:
    """The parts of a file that is there; a context that closes it."""

    parts: list[_Part]
    file: IO[bytes] | None = None

    def __enter__(self) -> "_Former":
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def _former(path: Path) -> _Former:
    """Open a file that was written here; of another one no part is known."""
    try:
        file = path.open("rb")
    except OSError:
        return _Former([])
    parts = list(_listed(file))
    whole = parts and file.seek(0, os.SEEK_END) == _stop(parts[-1]) + len(_LAST_BLOCK) + _END.size
    return _Former(parts if whole else [], file)


def _stop(part: _Part) -> int:
    return part.offset + part.packed


def _listed(file: IO[bytes]) -> Iterator[_Part]:
    """Yield what the extra field of a file lists."""
    head = file.read(_HEADER.size + _SUBFIELD.size)
    if len(head) < _HEADER.size + _SUBFIELD.size or head[:4] != _START:
        return
    n_extra = _HEADER.unpack_from(head)[-1]
    name, n_listed = _SUBFIELD.unpack_from(head, _HEADER.size)
    entries = file.read(n_listed)
    if name != _NAME or len(entries) != n_listed or n_listed % _ENTRY.size:
        return
    offset = _HEADER.size + n_extra
    for key, digest, crc, packed, size in _ENTRY.iter_unpack(entries):
        yield _Part(key, digest, crc, packed, size, file, offset)
        offset += packed


def _assemble(path: Path, parts: Sequence[_Part]) -> None:
    """Write header, parts and checksum."""
    crc = size = 0
    with path.open("wb") as file:
        file.write(_header(parts))
        for part in parts:
            _copy(part, file)
            crc = isal_zlib.crc32_combine(crc, part.crc, part.size)
            size += part.size
        file.write(_LAST_BLOCK + _END.pack(crc, size % 2**32))


def _header(parts: Sequence[_Part]) -> bytes:
    """Return the header; too many parts are not listed, and then made anew every time."""
    entries = b"".join(_ENTRY.pack(*part[:5]) for part in parts if len(parts) <= _MAX_ENTRIES)
    extra = _SUBFIELD.pack(_NAME, len(entries)) + entries
    return _HEADER.pack(_START, 0, 0, 255, len(extra)) + extra


def _copy(part: _Part, file: IO[bytes]) -> None:
    """Append a part, and compare it with its digest."""
    digest, left = xxhash.xxh3_64(), part.packed
    part.file.seek(part.offset)
    while left and (block := part.file.read(min(left, _COPIED_BYTES))):
        digest.update(block)
        file.write(block)
        left -= len(block)
    if digest.digest() != part.digest:
        raise _DamagedError(part.key)


def _digest(key: bytes) -> bytes:
    return xxhash.xxh3_128(key).digest()


def _folder_of(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent
