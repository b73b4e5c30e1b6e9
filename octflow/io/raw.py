"""Raw tiles: what the microscope writes, byte for byte."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.instrument import N_DEPTH, N_SPECTRAL
from octflow.core.names import RawKind
from octflow.io.compressed import Reader, is_compressed, reading

HEADER_BYTES = 352
"""A NIfTI-1 header; its content is not trusted."""


class Lanes(NamedTuple):
    """Illuminations interleaved along the A-lines of a raw file: A-lines own::n are ours."""

    own: int
    n: int


ONE_LANE = Lanes(0, 1)
"""A file that holds one illumination."""


def expected_bytes(kind: RawKind, n_x: int, n_y: int) -> int:
    """Return the exact size of a raw file.

    Parameters
    ----------
    kind : {"spectral", "spectral_12bit", "complex"}
        Format.
    n_x, n_y : int
        A-lines per B-line, B-lines.

    Examples
    --------
    >>> expected_bytes("spectral", 350, 350), expected_bytes("spectral_12bit", 200, 350)
    (1003520352, 430080000)
    """
    a_lines = n_x * n_y
    if kind == "spectral":
        return HEADER_BYTES + 2 * 2 * N_SPECTRAL * a_lines
    if kind == "spectral_12bit":
        return 2 * N_SPECTRAL * a_lines * 3 // 2
    return HEADER_BYTES + 4 * 4 * N_DEPTH * a_lines


def check_raw_size(path: Path, kind: RawKind, n_x: int, n_y: int) -> None:
    """Refuse a raw file of another size than its tile must have, before any work.

    Of a compressed one nobody knows the size before it has been read: `read_spectra` refuses it.

    Raises
    ------
    DataError
        With both numbers.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file"
        raise DataError(path, found=found, expected="a raw tile")
    if not is_compressed(path):
        _check_bytes(path, path.stat().st_size, kind, n_x, n_y)


def _check_bytes(path: Path, found_bytes: int, kind: RawKind, n_x: int, n_y: int) -> None:
    expected = expected_bytes(kind, n_x, n_y)
    if found_bytes != expected:
        raise DataError(
            path,
            found=f"{found_bytes} bytes",
            expected=f"{expected} bytes for {kind} with {n_x} x {n_y} A-lines",
        )


def read_raw_bytes(path: Path) -> NDArray[np.uint8]:
    """Read a whole raw file into memory, once: for its digest and for its spectra."""
    if is_compressed(path):
        with reading(path) as file:
            return np.frombuffer(file.read(), np.uint8)
    return np.fromfile(path, dtype=np.uint8)


def read_tile(path: Path, kind: RawKind, n_x: int, n_y: int) -> NDArray[np.uint16]:
    """Read all spectra of a raw tile.

    Parameters
    ----------
    path, kind, n_x, n_y
        See `check_raw_size`.

    Returns
    -------
    spectra : (Y, 2, X, K) uint16 array
        See `spectra_of`.

    Raises
    ------
    DataError
        It has another size.
    """
    check_raw_size(path, kind, n_x, n_y)
    content = read_raw_bytes(path)
    _check_bytes(path, content.size, kind, n_x, n_y)
    return spectra_of(content, kind, n_x, n_y)


def read_spectra(
    path: Path, kind: RawKind, n_x: int, n_y: int, *, block_lines: int, lanes: Lanes = ONE_LANE
) -> Iterator[tuple[slice, NDArray[np.uint8], NDArray[np.uint16]]]:
    """Read a raw tile of spectra block by block, every byte once.

    Parameters
    ----------
    path : Path
        Raw file of the expected size; a compressed one is unpacked while it is read.
    kind : {"spectral", "spectral_12bit"}
        Format.
    n_x, n_y : int
        A-lines per B-line, B-lines.
    block_lines : int
        B-lines of a block.
    lanes : Lanes
        Which of the interleaved A-lines of the file are those of the tile.

    Yields
    ------
    where : slice
        B-lines of the block.
    content : (N,) uint8 array
        Bytes of the block, with the header before the first; the same memory every time.
    spectra : (Y, 2, X, K) uint16 array
        Camera counts of the tile, as stored.

    Raises
    ------
    DataError
        The file became shorter while it was read; a compressed one is damaged, or holds less or
        more than a tile, which is known at the end.
    """
    start = HEADER_BYTES if kind == "spectral" else 0
    line_bytes = (expected_bytes(kind, lanes.n * n_x, n_y) - start) // n_y
    memory = np.empty(start + min(block_lines, n_y) * line_bytes, np.uint8)
    with reading(path) as file:
        for first in range(0, n_y, block_lines):
            n = min(block_lines, n_y - first)
            content = memory[0 if first == 0 else start : start + n * line_bytes]
            _fill(content, file, path)
            samples = memory[start : start + n * line_bytes]
            own = _own(samples, n * 2 * n_x, lanes)
            yield slice(first, first + n), content, _lines_of(own, kind, n_x)
        if is_compressed(path) and file.read(1):
            raise DataError(
                path, found="more spectra", expected=f"an end at byte {file.tell() - 1}"
            )


def _own(samples: NDArray[np.uint8], n_a_lines: int, lanes: Lanes) -> NDArray[np.uint8]:
    """Pick the A-lines of one lane, before anything is unpacked."""
    if lanes.n == 1:
        return samples
    return samples.reshape(n_a_lines, lanes.n, -1)[:, lanes.own].reshape(-1)


def _fill(content: NDArray[np.uint8], file: Reader, path: Path) -> None:
    filled = 0
    while filled < content.size:
        if not (read := file.readinto(content[filled:].data)):
            found, expected = f"an end at byte {file.tell()}", "more spectra"
            raise DataError(path, found=found, expected=expected)
        filled += read


def _lines_of(samples: NDArray[np.uint8], kind: RawKind, n_x: int) -> NDArray[np.uint16]:
    counts = samples.view("<u2") if kind == "spectral" else unpack_12bit(samples)
    return counts.reshape(-1, 2, n_x, N_SPECTRAL)


def spectra_of(content: NDArray[np.uint8], kind: RawKind, n_x: int, n_y: int) -> NDArray[np.uint16]:
    """View, or unpack, the bytes of a raw file as spectra.

    Parameters
    ----------
    content : (N,) uint8 array
        The whole file.
    kind : {"spectral", "spectral_12bit"}
        Format.
    n_x, n_y : int
        A-lines per B-line, B-lines.

    Returns
    -------
    spectra : (Y, 2, X, K) uint16 array
        Camera counts as stored: channel 2 is still reversed along K.
    """
    samples = content[HEADER_BYTES:] if kind == "spectral" else content
    return _lines_of(samples, kind, n_x).reshape(n_y, 2, n_x, N_SPECTRAL)


def unpack_12bit(packed: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Unpack 12-bit samples, two from three bytes.

    Examples
    --------
    >>> unpack_12bit(np.frombuffer(bytes.fromhex("FF1F00BC3A12"), np.uint8)).tolist()
    [4095, 1, 2748, 291]
    """
    if packed.size % 3:
        raise DataError(
            "packed samples", found=f"{packed.size} bytes", expected="a multiple of 3 bytes"
        )
    b0, b1, b2 = packed.reshape(-1, 3).astype(np.uint16).T
    samples = np.empty((packed.size // 3, 2), np.uint16)
    samples[:, 0] = b0 | ((b1 & 15) << 8)
    samples[:, 1] = (b1 >> 4) | (b2 << 4)
    return samples.reshape(-1)


def pack_12bit(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Pack samples of 0..4095, two into three bytes: the inverse of `unpack_12bit`.

    Examples
    --------
    >>> pack_12bit(np.array([4095, 1, 2748, 291], np.uint16)).tobytes().hex()
    'ff1f00bc3a12'
    """
    s0, s1 = samples.reshape(-1, 2).T
    packed = np.empty((samples.size // 2, 3), np.uint8)
    packed[:, 0] = s0 & 255
    packed[:, 1] = (s0 >> 8) | ((s1 & 15) << 4)
    packed[:, 2] = s1 >> 4
    return packed.reshape(-1)
