"""Compiled loops of the fusion: shift every A-line in depth, move sideways, weigh and add."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.scaled import Scaled

Volume = NDArray[np.float32]
Map = NDArray[np.float32]
Corner = tuple[int, int, int, int]

_TO_DOUBLED = np.float32(np.pi / 90)


@njit(nogil=True, cache=True)
def add_scalar(
    sums: Volume,
    weights: Volume,
    tile: Scaled,
    shift_px: Map,
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
    shift_px : (N_y, N_x) float32 array
        Depth index of the tile that becomes depth 0.
    first_z : int
        Depth of the first plane of the block.
    corner : (4,) ints
        Where the common part begins: y and x in the block, y and x in the moved tile.
    ramps : (2,) float32 arrays
        Weights along y and along x over the common part.
    fraction : (2,) floats
        Part of a pixel (y, x) the tile lies beyond a pixel of the mosaic.
    """
    n_y = ramps[0].size + (fraction[0] > 0)
    n_x = ramps[1].size + (fraction[1] > 0)
    plane = np.empty((1, n_y, n_x), np.float32)
    for z in range(sums.shape[1]):
        for y in range(n_y):
            for x in range(n_x):
                local_y, local_x = corner[2] + y, corner[3] + x
                shift = shift_px[local_y, local_x]
                whole = int(np.floor(shift))
                part = np.float32(shift - whole)
                i = first_z + z + whole
                value = _sample(tile, i, local_y, local_x)
                if part > 0:
                    value += part * (_sample(tile, i + 1, local_y, local_x) - value)
                plane[0, y, x] = value
        _add_plane(sums[:, z], weights[z], plane, corner, ramps, fraction)


@njit(nogil=True, cache=True)
def add_axial(
    sums: Volume,
    weights: Volume,
    tile: Scaled,
    shift_px: Map,
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
    weights, tile, shift_px, first_z, corner, ramps, fraction
        See `add_scalar`.
    """
    n_y = ramps[0].size + (fraction[0] > 0)
    n_x = ramps[1].size + (fraction[1] > 0)
    plane = np.empty((2, n_y, n_x), np.float32)
    # The deeper sample of one depth is the shallower one of the next: one sine each, not two.
    deeper = np.empty((2, n_y, n_x), np.float32)
    for z in range(-1, sums.shape[1]):
        for y in range(n_y):
            for x in range(n_x):
                local_y, local_x = corner[2] + y, corner[3] + x
                shift = shift_px[local_y, local_x]
                whole = int(np.floor(shift))
                part = np.float32(shift - whole)
                angle = _sample(tile, first_z + z + whole + 1, local_y, local_x) * _TO_DOUBLED
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
    """Move a plane sideways and add it, weighted, where it has a value."""
    for y in range(ramps[0].size):
        for x in range(ramps[1].size):
            weight = ramps[0][y] * ramps[1][x]
            at_y, at_x = corner[0] + y, corner[1] + x
            value = _sideways(plane[0], y, x, fraction)
            if np.isfinite(value):
                weights[at_y, at_x] += weight
                sums[0, at_y, at_x] += weight * value
                if plane.shape[0] == 2:
                    sums[1, at_y, at_x] += weight * _sideways(plane[1], y, x, fraction)


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
