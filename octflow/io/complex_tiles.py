"""Complex tiles as files: four real blocks along x, deep samples first.

They are written and read some B-lines at a time: a whole one takes 2 GB.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.io.archive_tiles import TileCopy
from octflow.io.atomic import replacing
from octflow.io.digest import Digests
from octflow.io.nifti import nifti_start, read_layout

BLOCK_LINES = 4
"""B-lines held at a time: so few, 22 MB of complex samples for 350 A-lines, that caches help."""

_BLOCK = 1 << 22

Lines = tuple[slice, NDArray[np.complex64]]
"""Which B-lines, and J1 and J2 of them, (2, Z, Y, X), shallow first."""


@dataclass(frozen=True)
class StoredTile:
    """A complex tile in a file."""

    product: Product
    n_x: int
    n_y: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.product.path)

    @property
    def n_z(self) -> int:
        """Depth samples."""
        return read_layout(self.path).shape[0]

    @property
    def inputs(self) -> list[Product]:
        """What was read."""
        return [self.product]

    @property
    def finite(self) -> bool:
        """Whether samples can be nothing but finite: what is in a file can be anything."""
        return False

    @property
    def qc(self) -> dict[str, float]:
        """What was measured while reading: nothing."""
        return {}

    def lines(self) -> Iterator[Lines]:
        """Read the tile block by block."""
        return read_complex_lines(self.path, self.n_x, self.n_y)


def write_complex_tile(
    path: Path, jones: NDArray[np.complex64], *, voxel_size_mm: tuple[float, float, float]
) -> None:
    """Write a complex tile held in memory.

    Parameters
    ----------
    path : Path
        Ends in .nii.
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    """
    lines = [(slice(0, jones.shape[2]), jones)]
    write_complex_lines(path, lines, shape=jones.shape[1:], voxel_size_mm=voxel_size_mm)


def write_complex_lines(
    path: Path,
    lines: Iterable[Lines],
    *,
    shape: tuple[int, ...],
    voxel_size_mm: tuple[float, float, float],
) -> None:
    """Write a complex tile as its B-lines come; whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in .nii.
    lines : iterable of (slice, (2, Z, Y, X) complex64 array)
        All B-lines, some at a time, in any order.
    shape : (3,) ints
        (Z, Y, X) of the tile.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    """
    n_z, n_y, n_x = shape
    start = nifti_start((n_z, n_y, 4 * n_x), np.float32, voxel_size_mm=voxel_size_mm)
    line_bytes = 4 * 4 * n_x
    with replacing(path) as part, part.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + n_z * n_y * line_bytes)
        stored = np.empty(0, np.float32)
        for where, jones in lines:
            stored = _fitting(stored, (n_z, jones.shape[2], 4, n_x))
            _store(jones, stored)
            for z, plane in enumerate(stored):
                file.seek(len(start) + (z * n_y + where.start) * line_bytes)
                file.write(plane.data)


def read_complex_tile(path: Path, n_x: int, n_y: int) -> NDArray[np.complex64]:
    """Read a whole complex tile.

    Parameters
    ----------
    path : Path
        NIfTI of shape (4 * n_x, n_y, n_z), blocks Re J1, Im J1, Re J2, Im J2, deep first.
    n_x, n_y : int
        Expected A-lines per B-line and B-lines.

    Returns
    -------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first.

    Raises
    ------
    DataError
        Other shape or type.
    """
    jones = np.empty((2, _depth_of(path, n_x, n_y), n_y, n_x), np.complex64)
    for where, part in read_complex_lines(path, n_x, n_y):
        jones[:, :, where] = part
    return jones


def read_complex_lines(path: Path, n_x: int, n_y: int) -> Iterator[Lines]:
    """Read a complex tile block by block, as `read_complex_tile` reads it whole.

    Yields
    ------
    where : slice
        B-lines of the block.
    jones : (2, Z, Y, X) complex64 array
        J1 and J2 of these B-lines, contiguous; mostly the same memory again.
    """
    n_z = _depth_of(path, n_x, n_y)
    layout = read_layout(path)
    line_bytes = 4 * n_x * layout.dtype.itemsize
    stored, jones = np.empty(0, layout.dtype), np.empty(0, np.complex64)
    with path.open("rb", buffering=0) as file:
        for first in range(0, n_y, BLOCK_LINES):
            n = min(BLOCK_LINES, n_y - first)
            stored = _fitting(stored, (n_z, n, 4, n_x))
            jones = _fitting(jones, (2, n_z, n, n_x))
            for z in range(n_z):
                offset = layout.offset + (z * n_y + first) * line_bytes
                found = os.preadv(file.fileno(), [stored[z].data], offset)
                if found != n * line_bytes:
                    raise DataError(
                        path, found=f"{offset + found} bytes", expected=f"voxels {layout.shape}"
                    )
            _restore(stored, jones)
            yield slice(first, first + n), jones


def examine_complex_tile(
    path: Path, n_x: int, n_y: int, *, copy: TileCopy | None = None
) -> tuple[str, str]:
    """Read a complex tile that was delivered, once: for its samples, digests and copy.

    Parameters
    ----------
    path : Path
        As for `read_complex_tile`.
    n_x, n_y : int
        Expected A-lines per B-line and B-lines.
    copy : TileCopy, optional
        Takes every block as it passes.

    Returns
    -------
    raw_id, fast_id : str
        SHA-256 and xxh3 id of the file.

    Raises
    ------
    DataError
        Other shape or type, a file that ends too early, samples that are NaN or infinite.
    """
    n_z = _depth_of(path, n_x, n_y)
    layout = read_layout(path)
    left, bad = n_z * n_y * 4 * n_x, 0
    digests = Digests()
    for content in _blocks(path, layout.offset):
        digests.update(content)
        if copy is not None:
            copy.take(content)
        if digests.bytes > layout.offset:
            samples = np.frombuffer(content, layout.dtype, len(content) // layout.dtype.itemsize)
            bad += samples[:left].size - int(np.count_nonzero(np.isfinite(samples[:left])))
            left -= samples[:left].size
    if left:
        raise DataError(path, found=f"{left} samples less", expected=f"voxels {layout.shape}")
    if copy is not None:
        copy.keep(digests.raw_id)
    if bad:
        raise DataError(path, found=f"{bad} NaN or infinite samples", expected="finite samples")
    return digests.raw_id, digests.fast_id


def _blocks(path: Path, header_bytes: int) -> Iterator[bytes]:
    """Cut a file into its header and blocks of whole samples."""
    with path.open("rb") as file:
        content = file.read(header_bytes)
        while content:
            yield content
            content = file.read(_BLOCK)


def _depth_of(path: Path, n_x: int, n_y: int) -> int:
    layout = read_layout(path)
    if len(layout.shape) != 3 or layout.shape[1:] != (n_y, 4 * n_x):
        raise DataError(
            path, found=f"shape {layout.shape[::-1]}", expected=f"({4 * n_x}, {n_y}, n_z)"
        )
    if layout.dtype.kind != "f":
        raise DataError(path, found=f"type {layout.dtype}", expected="float32")
    return layout.shape[0]


def _fitting(memory: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Return the memory if it fits, which saves the system from clearing another."""
    return memory if memory.shape == shape else np.empty(shape, memory.dtype)


def _store(jones: NDArray[np.complex64], stored: NDArray[np.float32]) -> None:
    """Rearrange (2, Z, Y, X) as it is stored: (Z, Y, 4, X), deep first."""
    for channel, profiles in enumerate(jones[:, ::-1]):
        stored[:, :, 2 * channel] = profiles.real
        stored[:, :, 2 * channel + 1] = profiles.imag


def _restore(stored: NDArray, jones: NDArray[np.complex64]) -> None:
    """Undo `_store`."""
    for channel, profiles in enumerate(jones):
        profiles.real = stored[::-1, :, 2 * channel]
        profiles.imag = stored[::-1, :, 2 * channel + 1]
