"""Positions from offsets between pairs of tiles, by weighted least squares."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

Floats = NDArray[np.float64]
Pairs = NDArray[np.intp]

_SHARES = np.array([[1.0, -1.0], [-1.0, 1.0]])
"""What an offset adds to the normal equations of the two tiles, in units of its precision."""
_HOLD = 1e-9
"""A trace of a pull to zero fixes the common position, which is free."""


def solve_offsets(pairs: Pairs, offsets_px: Floats, precision: Floats, count: int) -> Floats:
    """Find the positions whose differences agree best with offsets.

    The normal equations are a band as wide as the indices of a pair lie apart, at most.

    Parameters
    ----------
    pairs : (N, 2) int array
        Indices of tiles: first, second.
    offsets_px : (N, 2) array
        Position (x, y) of the second less that of the first.
    precision : (N, 2, 2) array
        Inverse covariance of each offset in 1/px^2.
    count : int
        Number of tiles.

    Returns
    -------
    positions : (count, 2) array
        In pixels, but for a common offset.

    Examples
    --------
    >>> pairs, offsets = np.array([[0, 1], [1, 2], [0, 2]]), np.array([[9, 0], [9, 0], [21, 0.0]])
    >>> found = solve_offsets(pairs, offsets, np.tile(np.eye(2), (3, 1, 1)), 3)
    >>> np.round(found[:, 0] - found[0, 0], 6).tolist()
    [0.0, 10.0, 20.0]
    """
    unknown = 2 * pairs[:, :, None] + np.arange(2)
    matrix = np.einsum("st,npq->nsptq", _SHARES, precision)
    below, at = np.broadcast_arrays(
        unknown[:, :, :, None, None] - unknown[:, None, None], unknown[:, None, None]
    )
    lower = below >= 0
    size = 2 * count
    where = below[lower] * size + at[lower]
    width = int(below.max(initial=0)) + 1
    band = np.asarray(np.bincount(where, matrix[lower], minlength=width * size), np.float64)
    band = band.reshape(width, size)
    band[0] += _HOLD
    pull = np.einsum("npq,nq->np", precision, offsets_px)
    right = np.bincount(unknown.ravel(), np.stack([-pull, pull], 1).ravel(), minlength=size)
    positions: Floats = solveh_banded(band, right, lower=True).reshape(count, 2)
    return positions
