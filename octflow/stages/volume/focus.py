"""The surface pattern that all tiles of an illumination share: curvature of field, path length.

Where tiles 1 and 2 overlap they see the same tissue surface, so their measured surfaces differ by
the pattern alone: S1 - S2 = F(place in tile 1) - F(place in tile 2), which is linear in F.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octflow.core.mosaic import Floats, Layout, resampled

Matrix = NDArray[np.float64]

_BLOCK_PX = 8
"""Differences are averaged over squares of this size: F is smooth, surfaces are noisy."""
_HUBER = 1.345
"""Residual, in standard deviations, from which a difference loses weight."""
_N_TERMS = 5


@dataclass(frozen=True)
class Focus:
    """The fitted pattern and how well it explains the overlaps."""

    pattern_px: NDArray[np.float32]
    """F - min F (Y, X) in depth samples: how much deeper a tile shows a flat surface."""
    before_px: Matrix
    """Differences of overlapping surfaces, means over small squares."""
    after_px: Matrix
    """The same once the pattern is subtracted."""
    kept: NDArray[np.bool_]
    """Which of them the fit trusted."""


def terms(local_y_px: ArrayLike, local_x_px: ArrayLike, tile_shape: tuple[int, int]) -> Matrix:
    """Evaluate the terms x, y, x^2, y^2, xy on coordinates scaled to -1 .. 1.

    Parameters
    ----------
    local_y_px, local_x_px : (N,) arrays
        Place within the tile.
    tile_shape : (2,) ints
        Size (n_y, n_x) of the tile.

    Returns
    -------
    matrix : (N, 5) array
        One line per place.

    Examples
    --------
    >>> terms(np.array([0.0]), np.array([4.0]), (3, 5)).tolist()
    [[1.0, -1.0, 1.0, 1.0, -1.0]]
    """
    n_y, n_x = tile_shape
    y = 2 * np.asarray(local_y_px, np.float64) / max(n_y - 1, 1) - 1
    x = 2 * np.asarray(local_x_px, np.float64) / max(n_x - 1, 1) - 1
    return np.stack([x, y, x**2, y**2, x * y], axis=-1)


def find_focus_plane(
    layout: Layout, surfaces_px: Mapping[int, Floats], pairs: Iterable[tuple[int, int]]
) -> Focus:
    """Fit the shared pattern to the surfaces in all overlaps.

    Robust linear least squares: absolute deviations first, then differences beyond 1.5
    interquartile ranges are left out and the rest is fitted with Huber weights.

    Parameters
    ----------
    layout : Layout
        Where the tiles lie.
    surfaces_px : mapping of int to (Y, X) array
        Depth of the tissue surface, NaN where it is not to be used.
    pairs : iterable of (int, int)
        Overlapping tiles.

    Returns
    -------
    focus : Focus
        A flat pattern where no overlap is usable; what the overlaps leave open, such as the
        slope along x of a single grid column, is 0.
    """
    parts = [_differences(layout, surfaces_px, pair) for pair in pairs]
    matrix = np.concatenate([np.zeros((0, _N_TERMS)), *(part[0] for part in parts)])
    difference = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
    coefficients, kept = _robust_fit(matrix, difference)
    y, x = np.indices(layout.tile_shape)
    pattern = terms(y.ravel(), x.ravel(), layout.tile_shape) @ coefficients
    pattern = (pattern - pattern.min()).reshape(layout.tile_shape)
    after = difference - matrix @ coefficients
    return Focus(pattern.astype(np.float32), difference, after, kept)


def _differences(
    layout: Layout, surfaces_px: Mapping[int, Floats], pair: tuple[int, int]
) -> tuple[Matrix, Matrix]:
    """Return the terms' differences and the surfaces' differences of a pair, block by block."""
    places = [layout.placement(tile) for tile in pair]
    (y1, x1), (y2, x2) = (place.where for place in places)
    top, bottom = max(y1.start, y2.start), min(y1.stop, y2.stop)
    left, right = max(x1.start, x2.start), min(x1.stop, x2.stop)
    if bottom - top < 2 or right - left < 2:
        return np.zeros((0, _N_TERMS)), np.zeros(0)
    cuts = [
        resampled(np.asarray(surfaces_px[tile], np.float32), place)[
            top - place.start_y : bottom - place.start_y,
            left - place.start_x : right - place.start_x,
        ]
        for tile, place in zip(pair, places, strict=True)
    ]
    y, x, difference = _block_means(cuts[0] - cuts[1])
    matrices = []
    for tile in pair:
        at_x, at_y = layout.positions_px[tile]
        matrices.append(terms(top + y - at_y, left + x - at_x, layout.tile_shape))
    return matrices[0] - matrices[1], difference


def _block_means(difference: Floats) -> tuple[Matrix, Matrix, Matrix]:
    """Return places (y, x) and robust means of the squares of which half has values."""
    n_y, n_x = difference.shape
    squares = [
        square
        for y in range(0, n_y, _BLOCK_PX)
        for x in range(0, n_x, _BLOCK_PX)
        if (square := _block_mean(difference[y : y + _BLOCK_PX, x : x + _BLOCK_PX], y, x))
    ]
    y_px, x_px, means = np.array(squares).reshape(-1, 3).T
    return y_px, x_px, means


def _block_mean(block: Floats, y: int, x: int) -> tuple[float, float, float] | None:
    """Average the values near the median, and the places they lie at."""
    finite = np.isfinite(block)
    if 2 * np.count_nonzero(finite) < block.size:
        return None
    distance = np.abs(block - np.median(block[finite]))
    # Surfaces are whole samples: a median alone would step, and so would a narrower band.
    near = distance <= max(2.0, 3 * float(np.median(distance[finite])))
    at_y, at_x = np.nonzero(near)
    return y + float(at_y.mean()), x + float(at_x.mean()), float(block[near].mean())


def _robust_fit(matrix: Matrix, difference: Matrix) -> tuple[Matrix, NDArray[np.bool_]]:
    coefficients = np.zeros(_N_TERMS)
    if difference.size == 0:
        return coefficients, np.zeros(0, bool)
    for _ in range(20):
        residual = np.abs(difference - matrix @ coefficients)
        coefficients = _weighted_fit(matrix, difference, 1 / np.maximum(residual, 0.1))
    residual = difference - matrix @ coefficients
    low, high = np.percentile(residual, [25, 75])
    reach = 1.5 * max(high - low, 1e-3)
    kept = (residual >= low - reach) & (residual <= high + reach)
    for _ in range(20):
        residual = np.abs(difference - matrix @ coefficients)
        sigma = max(1.4826 * float(np.median(residual[kept])), 1e-3)
        weight = np.minimum(1, _HUBER * sigma / np.maximum(residual, 1e-9)) * kept
        coefficients = _weighted_fit(matrix, difference, weight)
    return coefficients, kept


def _weighted_fit(matrix: Matrix, difference: Matrix, weight: Matrix) -> Matrix:
    root = np.sqrt(weight)
    solved = np.linalg.lstsq(matrix * root[:, None], difference * root, rcond=1e-6)
    return np.asarray(solved[0], np.float64)
