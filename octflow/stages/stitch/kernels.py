"""Compiled loops of the blending: move a tile by part of a pixel, weigh it and add it.

All run along x over values that lie side by side in memory, without branches, so that the compiler
makes vector instructions of them; unsigned indices, since those that may be negative cost more.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import doubled_vector, half_angle_deg

Map = NDArray[np.float32]
Corner = tuple[int, int, int]
Index = int | np.uintp
Fraction = tuple[np.float32, np.float32]

_NAN = np.float32(np.nan)


@njit(nogil=True, cache=True)
def add_scalar(
    sums: Map,
    weights: Map,
    tile: Map,
    corner: Corner,
    ramp_y: Map,
    ramp_x: Map,
    fraction: Fraction,
) -> None:
    """Add lines of a tile to sums of weighted values; pixels without a value add nothing.

    Parameters
    ----------
    sums : (1, Y, X) float32 array
        Weighted values of a band of the mosaic, added to.
    weights : (Y, X) float32 array
        Their weights, added to.
    tile : (Y, X) float32 array
        Values, NaN where there are none.
    corner : (3,) ints
        Where to begin: y and x in the band, y in the tile.
    ramp_y, ramp_x : float32 arrays
        Weights along y, one for every line that is added, and along x.
    fraction : (2,) float32
        Part of a pixel (y, x) the tile lies beyond a pixel of the mosaic.
    """
    step_y = np.uintp(1 if fraction[0] > 0 else 0)
    step_x = np.uintp(1 if fraction[1] > 0 else 0)
    first_x = np.uintp(corner[1])
    for i in range(np.uintp(ramp_y.size)):
        at_y, y = np.uintp(corner[0]) + i, np.uintp(corner[2]) + i
        for x in range(np.uintp(ramp_x.size)):
            above = tile[y, x + step_x]
            above += fraction[1] * (tile[y, x] - above)
            value = tile[y + step_y, x + step_x]
            value += fraction[1] * (tile[y + step_y, x] - value)
            value += fraction[0] * (above - value)
            there = np.isfinite(value)
            counts = ramp_y[i] * ramp_x[x] if there else np.float32(0)
            weights[at_y, first_x + x] += counts
            sums[np.uintp(0), at_y, first_x + x] += counts * (value if there else np.float32(0))


@njit(nogil=True, cache=True)
def add_axial(
    sums: Map,
    weights: Map,
    tile: Map,
    corner: Corner,
    ramp_y: Map,
    ramp_x: Map,
    fraction: Fraction,
) -> None:
    """Add lines of a tile of axis angles (degrees), as doubled-angle vectors.

    Parameters
    ----------
    sums : (2, Y, X) float32 array
        Weighted cosines and sines of a band of the mosaic, added to.
    weights, tile, corner, ramp_y, ramp_x, fraction
        See `add_scalar`.
    """
    step = 1 if fraction[0] > 0 else 0
    # Lines of the tile, upper and lower in turn, as cosine and sine.
    lines = np.empty((2, 2, tile.shape[1]), np.float32)
    for i in range(ramp_y.size + step):
        _fill_doubled(tile[corner[2] + i], lines[i % 2])
        if i >= step:
            rows, at = ((i - step) % 2, i % 2), (corner[0] + i - step, corner[1])
            _add_vectors(sums, weights, lines, rows, at, ramp_y[i - step], ramp_x, fraction)


@njit(nogil=True, cache=True, error_model="numpy")
def normalise_scalar(sums: Map, weights: Map, mosaic: Map) -> None:
    """Divide sums (1, Y, X) by their weights; NaN where nothing was added."""
    for y in range(np.uintp(mosaic.shape[0])):
        for x in range(np.uintp(mosaic.shape[1])):
            value = sums[np.uintp(0), y, x] / weights[y, x]
            mosaic[y, x] = value if weights[y, x] > 0 else _NAN


@njit(nogil=True, cache=True, error_model="numpy")
def normalise_axial(sums: Map, weights: Map, mosaic: Map) -> None:
    """Return the axes of summed vectors (2, Y, X); NaN where nothing was added."""
    for y in range(np.uintp(mosaic.shape[0])):
        for x in range(np.uintp(mosaic.shape[1])):
            value = half_angle_deg(sums[np.uintp(0), y, x], sums[np.uintp(1), y, x])
            mosaic[y, x] = value if weights[y, x] > 0 else _NAN


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_doubled(axis_deg: Map, line: Map) -> None:
    for x in range(np.uintp(axis_deg.size)):
        line[np.uintp(0), x], line[np.uintp(1), x] = doubled_vector(axis_deg[x])


@njit(nogil=True, cache=True)
def _add_vectors(
    sums: Map,
    weights: Map,
    lines: Map,
    rows: tuple[int, int],
    at: tuple[int, int],
    weight: np.float32,
    ramp_x: Map,
    fraction: Fraction,
) -> None:
    """Interpolate between two lines of vectors and add the result from a pixel (y, x) on."""
    step = np.uintp(1 if fraction[1] > 0 else 0)
    upper, lower = np.uintp(rows[0]), np.uintp(rows[1])
    at_y, first_x, sine = np.uintp(at[0]), np.uintp(at[1]), np.uintp(1)
    for x in range(np.uintp(ramp_x.size)):
        cosine = _between(lines, upper, lower, np.uintp(0), x, step, fraction)
        across = _between(lines, upper, lower, sine, x, step, fraction)
        there = np.isfinite(cosine)
        counts = weight * ramp_x[x] if there else np.float32(0)
        weights[at_y, first_x + x] += counts
        sums[np.uintp(0), at_y, first_x + x] += counts * (cosine if there else np.float32(0))
        sums[sine, at_y, first_x + x] += counts * (across if there else np.float32(0))


@njit(nogil=True, cache=True, inline="always")
def _between(
    lines: Map,
    upper: Index,
    lower: Index,
    part: Index,
    x: Index,
    step: Index,
    fraction: Fraction,
) -> np.float32:
    above = lines[upper, part, x + step]
    above += fraction[1] * (lines[upper, part, x] - above)
    value = lines[lower, part, x + step]
    value += fraction[1] * (lines[lower, part, x] - value)
    return value + fraction[0] * (above - value)
