"""Compiled loops over pairs of samples of an A-line; all run along x, side by side in memory."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import doubled_vector

Volume = NDArray[np.float32]
Fields = NDArray[np.float32]

WEIGHT, ALONG, REAL, IMAG = 0, 1, 2, 3
"""Places of weight, scalar product and the two parts of the cross product of pairs."""

_PER_DB = np.float32(math.log(10) / 10)
_TINY = np.float32(1e-37)
_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(nogil=True, cache=True)
def stokes(intensity_db: Volume, retardance_deg: Volume, axis_deg: Volume) -> Fields:
    """Return intensity and polarisation (4, Z, Y, X): I, cos 2R, sin 2R cos 2a, sin 2R sin 2a.

    I is 0 where one of the volumes has no value.
    """
    n_z, n_y, n_x = intensity_db.shape
    fields = np.empty((4, n_z, n_y, n_x), np.float32)
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                level, r, a = intensity_db[z, y, x], retardance_deg[z, y, x], axis_deg[z, y, x]
                there = np.isfinite(level + r + a)
                v, length = doubled_vector(r if there else _ZERO)
                cos_2a, sin_2a = doubled_vector(a if there else _ZERO)
                fields[0, z, y, x] = np.exp(level * _PER_DB) if there else _ZERO
                fields[1, z, y, x] = v
                fields[2, z, y, x] = length * cos_2a
                fields[3, z, y, x] = length * sin_2a
    return fields


@njit(nogil=True, cache=True, error_model="numpy")
def pair_fields(fields: Fields, lag_px: int) -> Fields:
    """Return weight, and weighted products of samples a lag apart, at the upper one.

    The weight is the inverse variance of their angle, that of noise over intensity for each.
    """
    _, n_z, n_y, n_x = fields.shape
    pairs = np.empty((4, n_z - lag_px, n_y, n_x), np.float32)
    for z in range(n_z - lag_px):
        for y in range(n_y):
            upper, lower = fields[:, z, y], fields[:, z + lag_px, y]
            for x in range(n_x):
                both = max(upper[0, x] + lower[0, x], _TINY)
                weight = upper[0, x] * (lower[0, x] / both)
                v, real, imag = upper[1, x], upper[2, x], upper[3, x]
                along = v * lower[1, x] + real * lower[2, x] + imag * lower[3, x]
                pairs[WEIGHT, z, y, x] = weight
                pairs[ALONG, z, y, x] = weight * along
                pairs[REAL, z, y, x] = weight * (v * lower[2, x] - real * lower[1, x])
                pairs[IMAG, z, y, x] = weight * (v * lower[3, x] - imag * lower[1, x])
    return pairs


@njit(nogil=True, cache=True)
def running_sums(pairs: Fields, n: int) -> Fields:
    """Add up `n` pairs, an odd number, around each along depth; fewer at the ends."""
    sums = np.empty_like(pairs)
    reach = n // 2
    for field in range(pairs.shape[0]):
        n_z = pairs.shape[1]
        # Double precision: what was added is taken away again, from sums a million times as large.
        total = np.zeros(pairs.shape[2:], np.float64)
        for z in range(-reach, n_z):
            if z + reach < n_z:
                total += pairs[field, z + reach]
            if z - reach - 1 >= 0:
                total -= pairs[field, z - reach - 1]
            if z >= 0:
                sums[field, z] = total
    return sums


@njit(nogil=True, cache=True)
def smoothed(fields: Fields, taps: NDArray[np.float32]) -> Fields:
    """Filter along y and x with an odd number of taps; beyond the rim there is nothing."""
    reach = len(taps) // 2
    n, n_z, n_y, n_x = fields.shape
    out = np.zeros_like(fields)
    line = np.zeros(n_x + 2 * reach, np.float32)
    for field in range(n):
        for z in range(n_z):
            for y in range(n_y):
                line[:] = 0
                middle = line[reach : reach + n_x]
                for t in range(len(taps)):
                    if 0 <= y + t - reach < n_y:
                        _add(middle, fields[field, z, y + t - reach], taps[t])
                for t in range(len(taps)):
                    _add(out[field, z, y], line[t : t + n_x], taps[t])
    return out


@njit(nogil=True, cache=True, inline="always")
def _add(total: NDArray[np.float32], values: NDArray[np.float32], factor: np.float32) -> None:
    for x in range(total.size):
        total[x] += factor * values[x]
