"""Digests: SHA-256 for raw data, xxh3 (memory speed) for intermediates; the name is in the id."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

_BLOCK = 1 << 22


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def fast_id(path: Path) -> str:
    """Return the xxh3 id of a file, or of a folder: its files in the order of their names."""
    state = xxhash.xxh3_128()
    if path.is_dir():
        for child in sorted(p for p in path.rglob("*") if p.is_file()):
            state.update(str(child.relative_to(path)).encode())
            for block in _blocks(child):
                state.update(block)
    else:
        for block in _blocks(path):
            state.update(block)
    return f"xxh3:{state.hexdigest()}"


class Digests:
    """Both digests of bytes that pass block by block.

    Examples
    --------
    >>> digests = Digests()
    >>> digests.update(b"ab")
    >>> digests.bytes, digests.raw_id == raw_id(b"ab")
    (2, True)
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._slow, self._fast = hashlib.sha256(), xxhash.xxh3_128()

    def update(self, content: bytes | memoryview) -> None:
        """Take the next bytes."""
        self.bytes += len(content)
        self._slow.update(content)
        self._fast.update(content)

    @property
    def raw_id(self) -> str:
        """SHA-256 id."""
        return f"sha256:{self._slow.hexdigest()}"

    @property
    def fast_id(self) -> str:
        """Id of xxh3, as of `fast_id`."""
        return f"xxh3:{self._fast.hexdigest()}"


def raw_id(data: bytes | memoryview) -> str:
    """Return the SHA-256 id of raw bytes already in memory.

    Examples
    --------
    >>> raw_id(b"")[:19]
    'sha256:e3b0c44298fc'
    """
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def content_id(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return the SHA-256 id of plain values, independent of the order of keys.

    Examples
    --------
    >>> content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return raw_id(text.encode())


def size_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size
