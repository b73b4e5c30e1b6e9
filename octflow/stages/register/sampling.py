"""Blocks of a volume as they lie in the voxels of another one."""

from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.axial import undoubled, wrap_axis

Volume = NDArray[np.float32]
Block = tuple[slice, slice, slice]

_MIN_SUPPORT = 0.5
"""Share of the interpolation weight that must come from voxels with a value."""


class Source(Protocol):
    """An array (Z, Y, X), in memory or on disk, that is read by slicing."""

    shape: tuple[int, ...]

    def __getitem__(self, where: Block, /) -> Any:  # noqa: ANN401
        """Read a block; Zarr's arrays promise less than the array it is."""


def box_of(where: Block, matrix: NDArray[np.float64]) -> Block:
    """Return the block of the moving volume that holds all that a block of the fixed one shows.

    Parameters
    ----------
    where : (3,) slices
        Block (z, y, x) of the fixed volume, not empty.
    matrix : (3, 4) array
        Fixed voxel (x, y, z, 1) to moving voxel (x, y, z).

    Examples
    --------
    >>> halved = np.diag([0.5, 1, 1, 1])[:3]
    >>> box_of((slice(0, 2), slice(0, 4), slice(3, 8)), halved)
    (slice(0, 3, None), slice(0, 5, None), slice(1, 5, None))
    """
    ends = [(s.start, s.stop - 1) for s in where[::-1]]
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    seen = matrix[:, :3] @ corners + matrix[:, 3:]
    low, high = np.floor(seen.min(axis=1)).astype(int), np.floor(seen.max(axis=1)).astype(int)
    x, y, z = (slice(int(a), int(b) + 2) for a, b in zip(low, high, strict=True))
    return z, y, x


def read_padded(source: Source, where: Block) -> Volume:
    """Read a block, NaN where it lies beyond the source."""
    block = np.full([s.stop - s.start for s in where], np.nan, np.float32)
    inside = [
        slice(max(s.start, 0), min(s.stop, n)) for s, n in zip(where, source.shape, strict=True)
    ]
    if all(s.start < s.stop for s in inside):
        target = tuple(
            slice(i.start - w.start, i.stop - w.start) for i, w in zip(inside, where, strict=True)
        )
        block[target] = source[inside[0], inside[1], inside[2]]
    return block


def sampled(
    planes: NDArray[np.float32], box: Block, where: Block, matrix: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Sample quantities of the moving volume on a block of the fixed one.

    Linear interpolation among the eight voxels around, of those that have a value.

    Parameters
    ----------
    planes : (N, Z, Y, X) float32 array
        Quantities on the voxels of `box`, NaN, all of them, where there is no value.
    box, where, matrix
        See `box_of`.

    Returns
    -------
    block : (N, Z, Y, X) float32 array
        NaN where less than half of the weight comes from voxels with a value.

    Examples
    --------
    >>> line = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    >>> shift = np.array([[1, 0, 0, 0.25], [0, 1, 0, 0], [0, 0, 1, 0]])
    >>> one, four, three = slice(0, 1), slice(0, 4), slice(0, 3)
    >>> sampled(line, (one, one, four), (one, one, three), shift).ravel().tolist()
    [0.25, 1.25, 2.25]
    """
    block = np.empty((len(planes), *(s.stop - s.start for s in where)), np.float32)
    first = np.array([s.start for s in where[::-1]])
    origin = np.array([s.start for s in box[::-1]])
    start = matrix[:, :3] @ first + matrix[:, 3] - origin
    _sample(planes, start, np.ascontiguousarray(matrix[:, :3]), block)
    return block


def sampled_block(
    source: Source, where: Block, matrix: NDArray[np.float64], *, turn_deg: float | None = None
) -> Volume:
    """Return what a block of the fixed volume shows of the moving one.

    Parameters
    ----------
    source : (Z, Y, X) array
        The moving volume, NaN where it has no value.
    where, matrix
        See `box_of`.
    turn_deg : float, optional
        The values are axis angles in degrees, as the instrument counts them; this is added.

    Returns
    -------
    block : (Z, Y, X) float32 array
        NaN where there is no value.
    """
    box = box_of(where, matrix)
    values = read_padded(source, box)
    if turn_deg is None:
        return sampled(values[None], box, where, matrix)[0]
    angle = np.deg2rad(2 * values)
    cos_2a, sin_2a = sampled(np.stack([np.cos(angle), np.sin(angle)]), box, where, matrix)
    return wrap_axis(undoubled(cos_2a, sin_2a) + np.float32(turn_deg)).astype(np.float32)


@njit(nogil=True, cache=True)
def _sample(
    planes: Volume, start: NDArray[np.float64], step: NDArray[np.float64], block: Volume
) -> None:
    """Fill a block; its voxel (i, j, k) lies at start + step @ (i, j, k), all (x, y, z)."""
    _, n_z, n_y, n_x = block.shape
    total = np.zeros(len(planes))
    for k in range(n_z):
        for j in range(n_y):
            x = start[0] + step[0, 1] * j + step[0, 2] * k
            y = start[1] + step[1, 1] * j + step[1, 2] * k
            z = start[2] + step[2, 1] * j + step[2, 2] * k
            for i in range(n_x):
                at = (x + step[0, 0] * i, y + step[1, 0] * i, z + step[2, 0] * i)
                if not _interpolate(planes, at, total):
                    support = _add_around(planes, at, total)
                    total /= support if support >= _MIN_SUPPORT else np.nan
                for n in range(len(planes)):
                    block[n, k, j, i] = total[n]


@njit(nogil=True, cache=True)
def _interpolate(
    planes: Volume, at: tuple[float, float, float], total: NDArray[np.float64]
) -> bool:
    """Interpolate between eight voxels that are all there; tell whether they are."""
    x, y, z = at
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    _, n_z, n_y, n_x = planes.shape
    if i < 0 or j < 0 or k < 0 or i + 1 >= n_x or j + 1 >= n_y or k + 1 >= n_z:
        return False
    a, b, c = x - i, y - j, z - k
    for n in range(len(planes)):
        plane = planes[n]
        upper = (1 - b) * _between(plane[k, j], i, a) + b * _between(plane[k, j + 1], i, a)
        lower = (1 - b) * _between(plane[k + 1, j], i, a) + b * _between(plane[k + 1, j + 1], i, a)
        total[n] = (1 - c) * upper + c * lower
        if not np.isfinite(total[n]):
            return False
    return True


@njit(nogil=True, cache=True, inline="always")
def _between(line: NDArray[np.float32], i: int, part: float) -> float:
    return (1 - part) * line[i] + part * line[i + 1]


@njit(nogil=True, cache=True)
def _add_around(
    planes: Volume, at: tuple[float, float, float], total: NDArray[np.float64]
) -> float:
    """Add up the eight voxels around (x, y, z), of those that are there; return their weight."""
    x, y, z = at
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    total[:] = 0
    support = 0.0
    for c in range(max(k, 0), min(k + 2, planes.shape[1])):
        for b in range(max(j, 0), min(j + 2, planes.shape[2])):
            across = (1 - abs(z - c)) * (1 - abs(y - b))
            for a in range(max(i, 0), min(i + 2, planes.shape[3])):
                weight = across * (1 - abs(x - a))
                if weight > 0 and np.isfinite(planes[0, c, b, a]):
                    support += weight
                    for n in range(len(planes)):
                        total[n] += weight * planes[n, c, b, a]
    return support
