"""Compiled loops of the fusion: shift every A-line in depth, move sideways, weigh and add.

All run along x over values that lie side by side in memory, without branches, so that the compiler
makes vector instructions of them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.scaled import Scaled

Volume = NDArray[np.float32]
Map = NDArray[np.float32]
Corner = tuple[int, int, int, int]

_TO_DOUBLED = np.float32(np.pi / 90)
_NAN = np.float32(np.nan)


class Shift(NamedTuple):
    """Depth by which A-lines are shifted; Numba takes it."""

    whole: NDArray[np.int32]
    """(Y, X) in depth samples, rounded down."""
    part: Map
    """(Y, X) what rounding took off."""
    ends: NDArray[np.int32]
    """(Y, X) end of the run of A-lines along x with the same whole shift."""


@njit(nogil=True, cache=True)
def shift_of(shift_px: Map) -> Shift:
    """Split the depth (Y, X) of A-lines into whole samples and the rest.

    Examples
    --------
    >>> found = shift_of(np.array([[1.25, 1.5, -0.5]], np.float32))
    >>> found.whole.tolist(), found.part.tolist(), found.ends.tolist()
    ([[1, 1, -1]], [[0.25, 0.5, 0.5]], [[2, 2, 3]])
    """
    whole = np.floor(shift_px).astype(np.int32)
    part = (shift_px - whole).astype(np.float32)
    ends = np.empty_like(whole)
    n_y, n_x = whole.shape
    for y in range(n_y):
        end = n_x
        for x in range(n_x - 1, -1, -1):
            if x + 1 < n_x and whole[y, x] != whole[y, x + 1]:
                end = x + 1
            ends[y, x] = end
    return Shift(whole, part, ends)


@njit(nogil=True, cache=True)
def add_scalar(
    sums: Volume,
    weights: Volume,
    tile: Scaled,
    shift: Shift,
    first_z: int,
    corner: Corner,
    ramps: tuple[Map, Map],
    fraction: tuple[np.float32, np.float32],
) -> None:
    """Add a tile of scalars to a block.

    Parameters
    ----------
    sums : (1, Z, Y, X) float32 array
        Weighted values, added to.
    weights : (Z, Y, X) float32 array
        Weights, added to.
    tile : Scaled
        The tile (N_z, N_y, N_x) as it is stored: scaled sample by sample, never as a whole.
    shift : Shift
        Depth index of the part of the tile that becomes depth 0.
    first_z : int
        Depth of the first plane of the block.
    corner : (4,) ints
        Where the common part begins: y and x in the block, y and x in the moved tile.
    ramps : (2,) float32 arrays
        Weights along y and along x over the common part.
    fraction : (2,) floats
        Part of a pixel (y, x) the tile lies beyond a pixel of the mosaic.
    """
    line = np.empty(shift.whole.shape[1], np.float32)
    rows = np.empty((2, ramps[1].size), np.float32)
    lower = 1 if fraction[0] > 0 else 0
    for z in range(sums.shape[1]):
        for y in range(shift.whole.shape[0]):
            _deepened(tile, first_z + z, (y, corner[2] + y, corner[3]), shift, line)
            _along_x(line, fraction[1], rows, y % 2)
            at_y = y - lower
            if at_y >= 0:
                where = (z, corner[0] + at_y, corner[1])
                _add(rows, y % 2, fraction[0], ramps[0][at_y], ramps[1], sums, weights, where)


@njit(nogil=True, cache=True)
def add_axial(
    sums: Volume,
    weights: Volume,
    tile: Scaled,
    shift: Shift,
    first_z: int,
    corner: Corner,
    ramps: tuple[Map, Map],
    fraction: tuple[np.float32, np.float32],
) -> None:
    """Add a tile of axis angles to a block, as doubled-angle vectors.

    Parameters
    ----------
    sums : (2, Z, Y, X) float32 array
        Weighted cosines and sines, added to.
    weights, tile, shift, first_z, corner, ramps, fraction
        See `add_scalar`.
    """
    n_y, n_x = shift.whole.shape
    plane = np.empty((2, n_y, n_x), np.float32)
    # The deeper sample of one depth is the shallower one of the next: one sine each, not two.
    deeper = np.empty((2, n_y, n_x), np.float32)
    for z in range(-1, sums.shape[1]):
        for y in range(n_y):
            for x in range(n_x):
                i = first_z + z + shift.whole[y, x] + 1
                part = shift.part[y, x]
                angle = _sample(tile, i, corner[2] + y, corner[3] + x) * _TO_DOUBLED
                vector = np.cos(angle), np.sin(angle)
                for c in range(2):
                    value = deeper[c, y, x]
                    if part > 0:
                        value += part * (vector[c] - value)
                    plane[c, y, x] = value
                    deeper[c, y, x] = vector[c]
        if z >= 0:
            _add_plane(sums[:, z], weights[z], plane, corner, ramps, fraction)


@njit(nogil=True, cache=True)
def _add_plane(
    sums: Volume,
    weights: Map,
    plane: Volume,
    corner: Corner,
    ramps: tuple[Map, Map],
    fraction: tuple[np.float32, np.float32],
) -> None:
    """Move a plane of vectors sideways and add it, weighted, where it has a value."""
    for y in range(ramps[0].size):
        for x in range(ramps[1].size):
            weight = ramps[0][y] * ramps[1][x]
            at_y, at_x = corner[0] + y, corner[1] + x
            value = _sideways(plane[0], y, x, fraction)
            if np.isfinite(value):
                weights[at_y, at_x] += weight
                sums[0, at_y, at_x] += weight * value
                sums[1, at_y, at_x] += weight * _sideways(plane[1], y, x, fraction)


@njit(nogil=True, cache=True, error_model="numpy")
def normalise(sums: Volume, weights: Volume) -> None:
    """Divide sums (Z, Y, X) by their weights in place; NaN where nothing was added."""
    for z in range(sums.shape[0]):
        for y in range(sums.shape[1]):
            total, weight = sums[z, y], weights[z, y]
            for x in range(total.size):
                total[x] = total[x] / weight[x] if weight[x] > 0 else _NAN


# Below, indices are unsigned: those that may be negative, and slices, cost more than the sums.


@njit(nogil=True, cache=True)
def _deepened(tile: Scaled, z: int, at: tuple[int, int, int], shift: Shift, line: Map) -> None:
    """Interpolate one line along x in depth; NaN above and below the tile."""
    y, tile_y, tile_x = np.uintp(at[0]), np.uintp(at[1]), np.uintp(at[2])
    n_z, n_x = tile.stored.shape[0], line.size
    start = 0
    while start < n_x:
        end = shift.ends[y, start]
        i = z + shift.whole[y, start]
        here = i >= 0 and i < n_z
        last = i + 1 >= n_z
        above = np.uintp(i if here else 0)
        below = above if last else above + np.uintp(1)
        for x in range(np.uintp(start), np.uintp(end)):
            value = np.float32(tile.stored[above, tile_y, tile_x + x]) * tile.slope
            deeper = np.float32(tile.stored[below, tile_y, tile_x + x]) * tile.slope
            part = shift.part[y, x]
            between = value + part * (deeper - value) if part > 0 else value
            line[x] = between + tile.intercept
        if last or not here:
            for x in range(np.uintp(start), np.uintp(end)):
                line[x] = line[x] if here and shift.part[y, x] == 0 else _NAN
        start = end


@njit(nogil=True, cache=True)
def _along_x(line: Map, fraction: np.float32, rows: Map, row: int) -> None:
    """Interpolate between the pixels of a line."""
    to, step = np.uintp(row), np.uintp(1 if fraction > 0 else 0)
    for x in range(np.uintp(rows.shape[1])):
        after = line[x + step]
        rows[to, x] = after + fraction * (line[x] - after)


@njit(nogil=True, cache=True)
def _add(
    rows: Map,
    row: int,
    fraction: np.float32,
    ramp_y: np.float32,
    ramp_x: Map,
    sums: Volume,
    weights: Volume,
    where: tuple[int, int, int],
) -> None:
    """Interpolate between two lines and add the result, weighted, where it has a value."""
    lower, upper = np.uintp(row), np.uintp(1 - row if fraction > 0 else row)
    z, at_y, at_x = np.uintp(where[0]), np.uintp(where[1]), np.uintp(where[2])
    for x in range(np.uintp(ramp_x.size)):
        value = rows[lower, x] + fraction * (rows[upper, x] - rows[lower, x])
        there = np.isfinite(value)
        counts = ramp_y * ramp_x[x] if there else np.float32(0)
        weights[z, at_y, at_x + x] += counts
        sums[np.uintp(0), z, at_y, at_x + x] += counts * (value if there else np.float32(0))


@njit(nogil=True, cache=True, inline="always")
def _sample(tile: Scaled, z: int, y: int, x: int) -> np.float32:
    """Return a voxel, NaN above and below the tile."""
    if z < 0 or z >= tile.stored.shape[0]:
        return np.float32(np.nan)
    return np.float32(tile.stored[z, y, x]) * tile.slope + tile.intercept


@njit(nogil=True, cache=True, inline="always")
def _sideways(plane: Map, y: int, x: int, fraction: tuple[np.float32, np.float32]) -> np.float32:
    """Interpolate between pixels of a plane."""
    value = plane[y, x]
    if fraction[1] > 0:
        value = plane[y, x + 1] + fraction[1] * (value - plane[y, x + 1])
    if fraction[0] > 0:
        below = plane[y + 1, x]
        if fraction[1] > 0:
            below = plane[y + 1, x + 1] + fraction[1] * (below - plane[y + 1, x + 1])
        value = below + fraction[0] * (value - below)
    return value
