"""Compiled loops that lay slices down.

Neighbours in a line of the frame are neighbours in the slice, but where a turned line steps over to
the next one: such runs are made by vector instructions. Where a value is missing, the few pixels
that ask for it are made again one by one.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import doubled_vector, half_angle_deg

Volume = NDArray[np.float32]
Map = NDArray[np.float32]
Line = NDArray[np.float32]
Places = NDArray[np.int32]

_NAN = np.float32(np.nan)
_ZERO, _ONE = np.float32(0), np.float32(1)
_STRAIGHT = np.float32(180)


@njit(nogil=True, cache=True)
def interpolate(source: Volume, first: Places, parts: Volume, support: float, out: Volume) -> None:
    """Interpolate linearly in the plane.

    Parameters
    ----------
    source : (Z, N_y, N_x) float32 array
        Values, NaN where there is none.
    first : (Y, X) int32 array
        For every pixel, the upper left of the four around it: y N_x + x.
    parts : (2, Y, X) float32 array
        Part of a pixel, along y and along x, that it lies beyond.
    support : float
        Share of the weight that must come from pixels with a value.
    out : (Z, Y, X) float32 array
        What comes out, NaN where too few have one.
    """
    ends = _ends(first)
    lines = source.reshape(source.shape[0], -1)
    below = np.uintp(source.shape[2])
    for z in range(np.uintp(out.shape[0])):
        plane = lines[z]
        for y in range(np.uintp(out.shape[1])):
            gaps, start = np.int32(0), np.uintp(0)
            while start < np.uintp(out.shape[2]):
                stop = np.uintp(ends[y, start])
                by = np.uintp(first[y, start]) - start
                for x in range(start, stop):
                    upper, lower = by + x, by + below + x
                    part = parts[np.uintp(1), y, x]
                    above = plane[upper] + part * (plane[upper + np.uintp(1)] - plane[upper])
                    beneath = plane[lower] + part * (plane[lower + np.uintp(1)] - plane[lower])
                    value = above + parts[np.uintp(0), y, x] * (beneath - above)
                    out[z, y, x] = value
                    gaps |= np.int32(not np.isfinite(value))
                start = stop
            if gaps > 0:
                _mend(plane, below, first[y], parts[:, y], np.float32(support), out[z, y])


@njit(nogil=True, cache=True)
def double(axis_deg: Volume, cosines: Volume, sines: Volume) -> None:
    """Turn axis angles (Z, Y, X) into doubled-angle vectors."""
    for z, y in np.ndindex(axis_deg.shape[:2]):
        for x in range(np.uintp(axis_deg.shape[2])):
            axis = axis_deg[z, y, x]
            wrapped = axis - _STRAIGHT * np.rint(axis / _STRAIGHT)
            cosines[z, y, x], sines[z, y, x] = doubled_vector(wrapped)


@njit(nogil=True, cache=True)
def undouble(cosines: Volume, sines: Volume, turn_deg: Map) -> None:
    """Turn vectors into axis angles in (-90, 90] degrees, put in place of the cosines.

    Parameters
    ----------
    cosines, sines : (Z, Y, X) float32 arrays
        Doubled-angle vectors.
    turn_deg : (Y, X) float32 array
        Added to the angles.
    """
    for z, y in np.ndindex(cosines.shape[:2]):
        for x in range(np.uintp(cosines.shape[2])):
            real, imag = cosines[z, y, x], sines[z, y, x]
            axis = half_angle_deg(real, imag) + turn_deg[y, x]
            axis -= _STRAIGHT * np.ceil(axis / _STRAIGHT - np.float32(0.5))
            cosines[z, y, x] = axis if np.isfinite(real) else _NAN


@njit(nogil=True, cache=True)
def add_weighted(block: Volume, weights: Line, sums: Volume, total: Volume) -> None:
    """Add a block (Z, Y, X), weighted by depth (Z,), where it has a value; count the weights."""
    for z, y in np.ndindex(block.shape[:2]):
        row_z, row_y = np.uintp(z), np.uintp(y)
        for x in range(np.uintp(block.shape[2])):
            value = block[row_z, row_y, x]
            there = np.isfinite(value)
            sums[row_z, row_y, x] += weights[row_z] * (value if there else _ZERO)
            total[row_z, row_y, x] += weights[row_z] if there else _ZERO


@njit(nogil=True, cache=True, error_model="numpy")
def normalise(sums: Volume, total: Volume) -> None:
    """Divide sums (Z, Y, X) by their weights; NaN where there is none."""
    for z, y in np.ndindex(sums.shape[:2]):
        row_z, row_y = np.uintp(z), np.uintp(y)
        for x in range(np.uintp(sums.shape[2])):
            weight = total[row_z, row_y, x]
            mean = sums[row_z, row_y, x] / weight
            sums[row_z, row_y, x] = mean if weight > 0 else _NAN


@njit(nogil=True, cache=True)
def _ends(first: Places) -> Places:
    """Return where the run of neighbours ends that a pixel belongs to."""
    ends = np.empty_like(first)
    n_y, n_x = first.shape
    for y in range(n_y):
        end = n_x
        for x in range(n_x - 1, -1, -1):
            if x + 1 < n_x and first[y, x] + 1 != first[y, x + 1]:
                end = x + 1
            ends[y, x] = end
    return ends


@njit(nogil=True, cache=True)
def _mend(
    plane: Line, below: np.uintp, first: Places, parts: Map, support: np.float32, target: Line
) -> None:
    """Average the pixels of a line that came to nothing over those that have a value."""
    for x in range(target.size):
        if np.isfinite(target[x]):
            continue
        total = weight = _ZERO
        for of_y in range(2):
            share_y = parts[0, x] if of_y else _ONE - parts[0, x]
            for of_x in range(2):
                share = share_y * (parts[1, x] if of_x else _ONE - parts[1, x])
                value = plane[np.uintp(first[x]) + of_y * below + np.uintp(of_x)]
                if share > 0 and np.isfinite(value):
                    total += share * value
                    weight += share
        target[x] = total / weight if weight > 0 and weight >= support else _NAN
