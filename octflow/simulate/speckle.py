"""Scatterers fixed in the sample: overlapping tiles see the same speckle.

White circular Gaussian numbers sit on the integer positions of a mosaic, drawn block by block so
that any tile can be made alone. The beam is a Gaussian of `BEAM_SIGMA_PX`, which makes the speckle
a smooth function of position, and sub-pixel shifts meaningful.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.simulate.fields import stream

BEAM_SIGMA_PX = 0.8
_TAPS = np.arange(-3, 5)
_BLOCK_PX = 8
_ORIGIN = 1 << 20  # blocks may lie at negative positions, keys may not
_SPECKLE = 3


def speckle_field(
    key: tuple[int, ...],
    *,
    position_px: tuple[float, float],
    size_px: tuple[int, int],
    n_depth: int,
) -> NDArray[np.complex64]:
    """Return the scattering amplitude on a grid at any, sub-pixel, position.

    Parameters
    ----------
    key : ints
        Seed, slice, illumination: everything the scatterers depend on.
    position_px : (y, x) floats
        Position of the first A-line in the mosaic.
    size_px : (n_y, n_x)
        A-lines.
    n_depth : int
        Depth samples, counted from the surface.

    Returns
    -------
    speckle : (Y, X, Z) complex64 array
        Circular Gaussian, mean 0, mean square 1.
    """
    (y, x), (n_y, n_x) = position_px, size_px
    low = (int(np.floor(y)), int(np.floor(x)))
    reach = len(_TAPS) - 1
    white = _white(key, (low[0] + _TAPS[0], low[1] + _TAPS[0]), (n_y + reach, n_x + reach), n_depth)
    along_y = _filtered(white.reshape(len(white), -1), _beam(y - low[0]))
    field = np.empty((n_y, n_x, n_depth), np.complex64)
    taps_x = _beam(x - low[1])
    for line, blurred in zip(along_y.reshape(n_y, -1, n_depth), field, strict=True):
        blurred[...] = _filtered(line, taps_x)
    return field


def _beam(fraction: float) -> NDArray[np.float32]:
    """Return the taps of the beam between two lattice points, scaled to keep the variance."""
    taps = np.exp(-(((_TAPS - fraction) / BEAM_SIGMA_PX) ** 2) / 2)
    return np.asarray(taps / np.sqrt(np.sum(taps**2)), np.float32)


def _white(
    key: tuple[int, ...], low: tuple[int, int], size: tuple[int, int], n_depth: int
) -> NDArray[np.complex64]:
    """Assemble the white numbers of a region, (y, x, z), from blocks of the lattice."""
    region = np.empty((*size, n_depth), np.complex64)
    for block_y in range(low[0] // _BLOCK_PX, (low[0] + size[0] - 1) // _BLOCK_PX + 1):
        for block_x in range(low[1] // _BLOCK_PX, (low[1] + size[1] - 1) // _BLOCK_PX + 1):
            rng = stream(*key, _SPECKLE, block_y + _ORIGIN, block_x + _ORIGIN)
            block = rng.standard_normal((_BLOCK_PX, _BLOCK_PX, n_depth, 2), np.float32)
            y, x = block_y * _BLOCK_PX - low[0], block_x * _BLOCK_PX - low[1]
            to_y, from_y = _common(y, size[0])
            to_x, from_x = _common(x, size[1])
            region[to_y, to_x] = block.view(np.complex64)[from_y, from_x, :, 0]
    region *= np.float32(np.sqrt(0.5))
    return region


def _common(start: int, size: int) -> tuple[slice, slice]:
    """Return what a block and a region share: as seen by the region, as seen by the block."""
    first, last = max(start, 0), min(start + _BLOCK_PX, size)
    return slice(first, last), slice(first - start, last - start)


@njit(cache=True, nogil=True)
def _filtered(values: NDArray[np.complex64], taps: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Filter along the first axis, keeping what the taps cover."""
    n = values.shape[0] - taps.shape[0] + 1
    out = np.zeros((n, values.shape[1]), np.complex64)
    for i in range(n):
        for t in range(taps.shape[0]):
            weight = taps[t]
            for j in range(values.shape[1]):
                out[i, j] += weight * values[i + t, j]
    return out
