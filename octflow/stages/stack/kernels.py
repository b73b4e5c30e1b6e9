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
        for y in range(np.uintp(out.shape[1])):
            start = np.uintp(0)
            while start < np.uintp(out.shape[2]):
                stop = np.uintp(ends[y, start])
                upper = lines[z, np.uintp(first[y, start]) :]
                part_y, part_x = parts[0, y, start:stop], parts[1, y, start:stop]
                target = out[z, y, start:stop]
                if _run(upper, below, part_y, part_x, target):
                    _mend(upper, below, part_y, part_x, np.float32(support), target)
                start = stop


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
def _run(upper: Map, below: np.uintp, part_y: Map, part_x: Map, target: Map) -> bool:
    """Interpolate a run; tell whether a value was missing."""
    lower, right, lower_right = upper[below:], upper[1:], upper[below + np.uintp(1) :]
    gaps = np.int32(0)
    for x in range(np.uintp(target.size)):
        above = upper[x] + part_x[x] * (right[x] - upper[x])
        beneath = lower[x] + part_x[x] * (lower_right[x] - lower[x])
        value = above + part_y[x] * (beneath - above)
        target[x] = value
        gaps |= np.int32(not np.isfinite(value))
    return bool(gaps > 0)


@njit(nogil=True, cache=True)
def _mend(
    upper: Map, below: np.uintp, part_y: Map, part_x: Map, support: np.float32, target: Map
) -> None:
    """Average over the pixels that have a value."""
    for x in range(target.size):
        if np.isfinite(target[x]):
            continue
        total = weight = _ZERO
        for of_y in range(2):
            share_y = part_y[x] if of_y else _ONE - part_y[x]
            for of_x in range(2):
                share = share_y * (part_x[x] if of_x else _ONE - part_x[x])
                value = upper[x + of_y * below + of_x]
                if share > 0 and np.isfinite(value):
                    total += share * value
                    weight += share
        target[x] = total / weight if weight > 0 and weight >= support else _NAN
