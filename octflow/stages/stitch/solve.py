"""Positions of all tiles at once, from the links between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from octflow.core.errors import EstimateError
from octflow.core.mosaic import Along, Grid, neighbours
from octflow.stages.stitch.links import Link

Offsets = NDArray[np.float64]

_FLOOR_PX = 0.05
"""Standard deviation that no link undercuts: interpolation, distortion of the scan."""
_OPTIMISM = 1.0
"""Measured variance of shifts over their Cramer-Rao bound: neighbouring pixels share noise."""
_PLAUSIBLE = 4.2
"""Confidence from which a link counts that agrees with the typical step of the stage."""
_MIN_STEP_PX = 0.5
"""Standard deviation of the steps of the stage that is assumed at least."""
_GEOMETRIC = (8.0, 4.0, 2.0, 1.5, *[1.0] * 12)
"""The scale of what counts as an outlier shrinks while the solution settles."""
_SETTLED_PX = 1e-4
"""Change of every position below which the solution is final."""


@dataclass(frozen=True)
class Solution:
    """Positions of all tiles, and what became of each link."""

    positions_px: dict[int, tuple[float, float]]
    """Tile id to position (x, y), the smallest being 0."""
    links: list[Link]
    """Links with their final verdict."""
    residuals_px: Offsets
    """Measured less solved offset (x, y) of every link, in the order of `links`."""

    @property
    def residual_rms_px(self) -> float:
        """Root mean square of the residuals of the trusted links, per axis."""
        kept = [link.verdict == "trusted" for link in self.links]
        return float(np.sqrt(np.mean(self.residuals_px[kept] ** 2))) if any(kept) else 0.0


def solve_positions(
    grid: Grid, links: Sequence[Link], nominal_step_px: tuple[float, float]
) -> Solution:
    """Find the positions that agree best with all trusted links.

    Least squares with the 2 x 2 precision of every link, made robust by Geman-McClure weights.
    Between all neighbours of the grid, linked or not, missing or not, lies a weak second link:
    the typical step of the stage along that axis, as found on the trusted links, with the spread
    found there. It carries tiles without a trusted link, and absorbs the skew of stage against
    scan axes and the backlash of every other grid column.

    Parameters
    ----------
    grid : mapping of int to (grid_x, grid_y)
        All tiles of the mosaic, also those that are missing.
    links : sequence of Link
        Measured offsets.
    nominal_step_px : (2,) floats
        Grid step (x, y) where no link along an axis is trusted.

    Raises
    ------
    EstimateError
        No link is trusted, though there is more than one tile.
    """
    trusted = _trusted(links)
    if not trusted and len(grid) > 1:
        raise EstimateError(
            f"tile coordinates: found no trusted link among {len(links)}, expected at least one"
        )
    index = {tile: i for i, tile in enumerate(sorted(grid))}
    steps = _typical_steps(grid, trusted, nominal_step_px)
    links = [_reconsidered(link, grid, steps) for link in links]
    trusted = _trusted(links)
    prior = _system(index, neighbours(grid))
    offsets = np.array([steps.at(grid, pair) for pair in neighbours(grid)]).reshape(-1, 2)
    spread = np.array([steps.spread_px[along] for _, _, along in neighbours(grid)])
    measured = np.array([link.offset_px for link in trusted]).reshape(-1, 2)
    precision = np.array([_precision(link) for link in trusted]).reshape(-1, 2, 2)
    matrix = _system(index, [(link.first, link.second, link.along) for link in trusted])
    expected = np.array([steps.at(grid, (k.first, k.second, k.along)) for k in trusted])
    weight = _first_weights(measured, expected.reshape(-1, 2), steps, trusted)
    positions = np.zeros((len(index), 2))
    for scale in _GEOMETRIC:
        weighted = precision * weight[:, None, None]
        before = positions
        positions = _least_squares(matrix, weighted, measured, (prior, offsets, spread))
        if scale == _GEOMETRIC[-1] and np.abs(positions - before).max() < _SETTLED_PX:
            break
        weight = _robust_weights(measured - matrix @ positions, precision, scale)
    return _solution(positions, index, links, weight)


@dataclass(frozen=True)
class _Steps:
    """Typical steps of the stage, per axis and parity of the grid column."""

    step_px: Mapping[tuple[Along, int], Offsets]
    spread_px: Mapping[Along, float]

    def at(self, grid: Grid, pair: tuple[int, int, Along]) -> Offsets:
        return self.step_px[pair[2], grid[pair[0]][0] % 2]


def _typical_steps(grid: Grid, trusted: Sequence[Link], nominal: tuple[float, float]) -> _Steps:
    step_px: dict[tuple[Along, int], Offsets] = {}
    spread_px: dict[Along, float] = {}
    axes: tuple[tuple[Along, tuple[float, float]], ...] = (
        ("x", (nominal[0], 0.0)),
        ("y", (0.0, nominal[1])),
    )
    for along, fallback in axes:
        alike = [k for k in trusted if k.along == along]
        overall = _median([k.offset_px for k in alike], np.array(fallback))
        deviations = []
        for parity in (0, 1):
            same = [k.offset_px for k in alike if grid[k.first][0] % 2 == parity]
            # Few links say more about the jitter of the stage than about its backlash.
            step = _median(same, overall) if len(same) >= 4 else overall
            step_px[along, parity] = step
            deviations += [np.abs(np.array(offset) - step) for offset in same]
        spread = 1.4826 * np.median(deviations) if len(deviations) >= 4 else 0.0
        spread_px[along] = max(float(spread), _MIN_STEP_PX)
    return _Steps(step_px, spread_px)


def _trusted(links: Sequence[Link]) -> list[Link]:
    return [link for link in links if link.verdict == "trusted"]


def _reconsidered(link: Link, grid: Grid, steps: _Steps) -> Link:
    """Trust a link of less confidence whose offset is one that the stage makes.

    The highest of all chance peaks may lie anywhere in the search range, seldom just there.
    """
    if link.verdict != "unclear" or link.confidence < _PLAUSIBLE or min(link.precision[:2]) <= 0:
        return link
    off = np.subtract(link.offset_px, steps.at(grid, (link.first, link.second, link.along)))
    near = np.abs(off).max() <= 3 * steps.spread_px[link.along]
    return replace(link, verdict="trusted") if near else link


def _median(offsets: Sequence[tuple[float, float]], fallback: Offsets) -> Offsets:
    if not offsets:
        return fallback
    x, y = np.median(np.array(offsets), axis=0)
    return np.array([x, y])


def _system(index: Mapping[int, int], pairs: Sequence[tuple[int, int, Along]]) -> sparse.csr_array:
    """Matrix that takes positions to the offsets of pairs."""
    n = len(pairs)
    tiles = [index[t] for first, second, _ in pairs for t in (first, second)]
    signs = np.tile([-1.0, 1.0], n)
    return sparse.csr_array((signs, (np.repeat(np.arange(n), 2), tiles)), shape=(n, len(index)))


def _precision(link: Link) -> Offsets:
    xx, yy, xy = link.precision
    covariance = _OPTIMISM * np.linalg.pinv(np.array([[xx, xy], [xy, yy]]))
    return np.asarray(np.linalg.inv(covariance + _FLOOR_PX**2 * np.eye(2)), np.float64)


def _first_weights(
    measured: Offsets, expected: Offsets, steps: _Steps, trusted: Sequence[Link]
) -> Offsets:
    """Doubt links far from the typical step, without dropping any."""
    allowed = np.array([3 * steps.spread_px[link.along] + 2 for link in trusted])
    squared = ((measured - expected) ** 2).sum(axis=1) / np.maximum(allowed**2, 1)
    return 1 / (1 + squared) ** 2


def _least_squares(
    matrix: sparse.csr_array,
    precision: Offsets,
    measured: Offsets,
    prior: tuple[sparse.csr_array, Offsets, Offsets],
) -> Offsets:
    """Solve the normal equations of both axes together."""
    prior_matrix, prior_offsets, spread = prior
    n = matrix.shape[1]
    pull = prior_matrix.T @ sparse.diags_array(1 / spread**2)
    # The common position is free: a trace of a pull to zero fixes it.
    held = pull @ prior_matrix + 1e-9 * sparse.eye_array(n)
    blocks: list[list[sparse.csr_array]] = [[], []]
    right = np.zeros((2, n))
    for i in range(2):
        for j in range(2):
            block = matrix.T @ sparse.diags_array(precision[:, i, j]) @ matrix
            right[i] += matrix.T @ (precision[:, i, j] * measured[:, j])
            blocks[i].append(block + held if i == j else block)
        right[i] += pull @ prior_offsets[:, i]
    normal = sparse.block_array(blocks, format="csc")
    return spsolve(normal, right.ravel()).reshape(2, n).T


def _robust_weights(residuals: Offsets, precision: Offsets, scale: float) -> Offsets:
    squared = np.einsum("ni,nij,nj->n", residuals, precision, residuals)
    if squared.size == 0:
        return squared
    # For two axes the median of a squared norm is 2 ln 2 variances.
    variance = max(float(np.median(squared)) / (2 * np.log(2)), 1.0)
    return 1 / (1 + squared / (16 * variance * scale**2)) ** 2


def _solution(
    positions: Offsets, index: Mapping[int, int], links: Sequence[Link], weight: Offsets
) -> Solution:
    positions = positions - positions.min(axis=0)
    weights = iter(weight)
    judged = [
        replace(link, verdict="inconsistent")
        if link.verdict == "trusted" and next(weights) < 0.1
        else link
        for link in links
    ]
    solved = [positions[index[k.second]] - positions[index[k.first]] for k in links]
    measured = np.array([k.offset_px for k in links])
    return Solution(
        {tile: (float(positions[i, 0]), float(positions[i, 1])) for tile, i in index.items()},
        judged,
        (measured - np.array(solved)).reshape(-1, 2),
    )
