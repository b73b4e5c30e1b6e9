"""Compiled loops of the fusion: shift every A-line in depth, move sideways, weigh and add.

All run along x over values that lie side by side in memory, without branches, so that the compiler
makes vector instructions of them. Indices are unsigned in the innermost loops: those that may be
negative, and slices, cost more than the sums.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import doubled_vector, half_angle_deg
from octflow.core.scaled import Scaled

Volume = NDArray[np.float32]
Map = NDArray[np.float32]
Sums = NDArray[np.float32]
Index = int | np.unsignedinteger

_NAN = np.float32(np.nan)
_ZERO = np.float32(0)


class Shift(NamedTuple):
    """Depth by which A-lines are shifted; Numba takes it."""

    whole: NDArray[np.int32]
    """(Y, X) in depth samples, rounded down."""
    part: Map
    """(Y, X) what rounding took off."""
    ends: NDArray[np.int32]
    """(Y, X) end of the run of A-lines along x with the same whole shift."""


class Part(NamedTuple):
    """What a tile gives to a block; Numba takes it."""

    tile: Scaled
    """The tile (N_z, N_y, N_x) as it is stored: scaled sample by sample, never as a whole."""
    shift: Shift
    """Depth index that becomes depth 0, of the common part; one pixel more where that is moved."""
    corner: tuple[int, int, int, int]
    """Where the common part begins: y and x in the block, y and x in the tile."""
    weight: Map
    """(Y, X) of the common part: share of the tile; those of all tiles add up to 1."""
    fraction: tuple[np.float32, np.float32]
    """Part of a pixel (y, x) the tile lies beyond a pixel of the mosaic."""


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
def add_scalar(sums: Sums, present: Sums, part: Part, first_z: int) -> None:
    """Add a tile of scalars to a block.

    Parameters
    ----------
    sums : (1, Z, Y, X) float32 array
        Weighted values, added to.
    present : (1, Z, Y, X) float32 array
        Weights of the samples that have a value, added to. Without planes (Z = 0) nothing is
        counted, and all must have one: a sum becomes NaN otherwise.
    part : Part
        The tile.
    first_z : int
        Depth of the first plane of the block.
    """
    plane = np.empty(part.shift.whole.shape, np.float32)
    for z in range(sums.shape[1]):
        plane[0, 0] = _touched(part, first_z + z + 1)  # The deeper samples; it is overwritten.
        _deepened(part, first_z + z, plane)
        _add_plane(plane, part, sums[0, z], present[0, z : z + 1])


@njit(nogil=True, cache=True)
def add_axial(sums: Sums, present: Sums, part: Part, first_z: int) -> None:
    """Add a tile of axis angles to a block, as doubled-angle vectors.

    Parameters
    ----------
    sums : (2, Z, Y, X) float32 array
        Weighted cosines and sines, added to.
    present, part, first_z
        See `add_scalar`.
    """
    # The deeper sample of one depth is the shallower one of the next: one sine each, not two.
    vectors = np.empty((2, 2, *part.shift.whole.shape), np.float32)
    plane = np.empty(part.shift.whole.shape, np.float32)
    _doubled(part, first_z, vectors[0, 0], vectors[0, 1])
    for z in range(sums.shape[1]):
        shallow, deep = vectors[z % 2], vectors[1 - z % 2]
        plane[0, 0] = _touched(part, first_z + z + 1)
        _doubled(part, first_z + z + 1, deep[0], deep[1])
        for c in range(2):
            _blend(shallow[c], deep[c], part.shift.part, plane)
            _add_plane(plane, part, sums[c, z], present[c, z : z + 1])


@njit(nogil=True, cache=True)
def has_gaps(sums: Sums, empty: Map) -> bool:
    """Tell whether a sum is NaN where `empty` (Y, X) is not."""
    gaps = np.int32(0)
    for c, z, y in np.ndindex(sums.shape[:3]):
        row_c, row_z, row_y = np.uintp(c), np.uintp(z), np.uintp(y)
        for x in range(np.uintp(sums.shape[3])):
            lacks = ~np.isfinite(sums[row_c, row_z, row_y, x])
            gaps |= np.int32(lacks & (empty[row_y, x] == 0))
    return bool(gaps > 0)


@njit(nogil=True, cache=True, error_model="numpy")
def normalise(sums: Sums, present: Sums, whole: Map) -> None:
    """Divide sums by the weights present where these are not the `whole` (Y, X).

    NaN where nothing is present. What is there as a whole is left as it is, to the last bit.
    """
    for c, z, y in np.ndindex(sums.shape[:3]):
        for x in range(sums.shape[3]):
            weight = present[c, z, y, x]
            if weight != whole[y, x]:
                sums[c, z, y, x] = sums[c, z, y, x] / weight if weight > 0 else _NAN


@njit(nogil=True, cache=True, error_model="numpy")
def undouble(sums: Sums, axis_deg: Volume) -> None:
    """Turn sums (2, Z, Y, X) of doubled-angle vectors into axis angles (Z, Y, X)."""
    for z, y in np.ndindex(axis_deg.shape[:2]):
        row_z, row_y = np.uintp(z), np.uintp(y)
        for x in range(np.uintp(axis_deg.shape[2])):
            cos_2a = sums[np.uintp(0), row_z, row_y, x]
            axis = half_angle_deg(cos_2a, sums[np.uintp(1), row_z, row_y, x])
            axis_deg[row_z, row_y, x] = axis if np.isfinite(cos_2a) else _NAN


@njit(nogil=True, cache=True)
def _touched(part: Part, z: int) -> np.float32:
    """Read one sample of every cache line of a plane, so that memory brings all of them at once."""
    stored, whole, ends = part.tile.stored, part.shift.whole, part.shift.ends
    first_y, first_x = np.uintp(part.corner[2]), np.uintp(part.corner[3])
    touched = np.float32(0)
    for y in range(np.uintp(whole.shape[0])):
        start = 0
        while start < whole.shape[1]:
            end, i = ends[y, start], z + whole[y, start]
            if i >= 0 and i < stored.shape[0]:
                for x in range(np.uintp(start), np.uintp(end), np.uintp(16)):
                    touched += np.float32(stored[np.uintp(i), first_y + y, first_x + x])
            start = end
    return touched


@njit(nogil=True, cache=True)
def _deepened(part: Part, z: int, plane: Map) -> None:
    """Interpolate a plane in depth; NaN above and below the tile."""
    stored, slope, intercept = part.tile
    whole, parts, ends = part.shift
    n_z, first_y, first_x = stored.shape[0], part.corner[2], np.uintp(part.corner[3])
    for y in range(np.uintp(plane.shape[0])):
        tile_y, start = np.uintp(first_y) + y, 0
        while start < plane.shape[1]:
            end = ends[y, start]
            i = z + whole[y, start]
            here = i >= 0 and i < n_z
            last = i + 1 >= n_z
            above = np.uintp(i if here else 0)
            below = above if last else above + np.uintp(1)
            for x in range(np.uintp(start), np.uintp(end)):
                value = np.float32(stored[above, tile_y, first_x + x])
                deeper = np.float32(stored[below, tile_y, first_x + x])
                fraction = parts[y, x]
                between = value + fraction * (deeper - value) if fraction > 0 else value
                plane[y, x] = between * slope + intercept
            if last or not here:
                for x in range(np.uintp(start), np.uintp(end)):
                    plane[y, x] = plane[y, x] if here and parts[y, x] == 0 else _NAN
            start = end


@njit(nogil=True, cache=True)
def _doubled(part: Part, z: int, cosines: Map, sines: Map) -> None:
    """Turn a plane into doubled-angle vectors; NaN above and below the tile."""
    stored, slope, intercept = part.tile
    whole, _, ends = part.shift
    first_y, first_x = part.corner[2], np.uintp(part.corner[3])
    for y in range(np.uintp(cosines.shape[0])):
        tile_y, start = np.uintp(first_y) + y, 0
        while start < cosines.shape[1]:
            end = ends[y, start]
            i = z + whole[y, start]
            here = i >= 0 and i < stored.shape[0]
            lost = _ZERO if here else _NAN
            depth = np.uintp(i if here else 0)
            for x in range(np.uintp(start), np.uintp(end)):
                value = np.float32(stored[depth, tile_y, first_x + x]) * slope + intercept
                cosines[y, x], sines[y, x] = doubled_vector(value + lost)
            start = end


@njit(nogil=True, cache=True)
def _blend(shallow: Map, deep: Map, parts: Map, plane: Map) -> None:
    """Interpolate between two planes; a part of 0 leaves the shallow one as it is."""
    for y in range(np.uintp(plane.shape[0])):
        for x in range(np.uintp(plane.shape[1])):
            value, part = shallow[y, x], parts[y, x]
            plane[y, x] = value + part * (deep[y, x] - value) if part > 0 else value


@njit(nogil=True, cache=True)
def _add_plane(plane: Map, part: Part, sums: Map, present: Volume) -> None:
    """Interpolate a plane sideways and add it, weighted; count the weights where `present` is."""
    weights, (fraction_y, fraction_x) = part.weight, part.fraction
    right, below = np.uintp(1 if fraction_x > 0 else 0), np.uintp(1 if fraction_y > 0 else 0)
    first_y, first_x = np.uintp(part.corner[0]), np.uintp(part.corner[1])
    counted, here = present.shape[0] > 0, np.uintp(0)
    for y in range(np.uintp(weights.shape[0])):
        at_y, next_y = first_y + y, y + below
        if counted:
            for x in range(np.uintp(weights.shape[1])):
                upper = _between(plane, y, x, right, fraction_x)
                lower = _between(plane, next_y, x, right, fraction_x)
                value = lower + fraction_y * (upper - lower)
                there = np.isfinite(value)
                weight = weights[y, x] if there else _ZERO
                sums[at_y, first_x + x] += weight * (value if there else _ZERO)
                present[here, at_y, first_x + x] += weight
        else:
            for x in range(np.uintp(weights.shape[1])):
                upper = _between(plane, y, x, right, fraction_x)
                lower = _between(plane, next_y, x, right, fraction_x)
                value = lower + fraction_y * (upper - lower)
                sums[at_y, first_x + x] += weights[y, x] * value


@njit(nogil=True, cache=True, inline="always")
def _between(plane: Map, y: Index, x: Index, right: Index, fraction: np.float32) -> np.float32:
    """Interpolate along x."""
    after = plane[y, x + right]
    return after + fraction * (plane[y, x] - after)
