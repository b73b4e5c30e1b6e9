"""Positions of all tiles at once, from the links between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.mosaic import Along, Grid, neighbours
from octflow.stages.stitch.links import Link
from octflow.stages.stitch.offsets import solve_offsets

Offsets = NDArray[np.float64]

_FLOOR_PX = 0.05
"""Standard deviation that no link undercuts: interpolation, distortion of the scan."""
_PLAUSIBLE = 4.2
"""Confidence from which a link counts that agrees with the typical step of the stage."""
_LOOSE = 4.0
"""Times the spread of its steps by which the stage may be off: neighbouring steps err alike."""
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
    index = _index(grid)
    steps = _typical_steps(grid, trusted, nominal_step_px)
    links = [_reconsidered(link, grid, steps) for link in links]
    trusted = _trusted(links)
    stage = neighbours(grid)
    usual = np.array([steps.at(grid, pair) for pair in stage]).reshape(-1, 2)
    spread = np.array([steps.spread_px[along] for _, _, along in stage])
    weak = np.eye(2) / (_LOOSE * spread.reshape(-1, 1, 1)) ** 2
    pairs = [(link.first, link.second, link.along) for link in trusted]
    expected = np.array([steps.at(grid, pair) for pair in pairs]).reshape(-1, 2)
    measured = np.array([link.offset_px for link in trusted]).reshape(-1, 2)
    precision = _precisions(trusted)
    weight = _first_weights(measured, expected, steps, trusted)
    ends = _ends(index, pairs)
    every = np.vstack([ends, _ends(index, stage)]), np.vstack([measured, usual])
    positions = np.zeros((len(index), 2))
    for scale in _GEOMETRIC:
        weighted = np.vstack([precision * weight[:, None, None], weak])
        before = positions
        positions = solve_offsets(*every, weighted, len(index))
        if scale == _GEOMETRIC[-1] and np.abs(positions - before).max() < _SETTLED_PX:
            break
        residuals = measured - (positions[ends[:, 1]] - positions[ends[:, 0]])
        weight = _robust_weights(residuals, precision, scale)
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


def _index(grid: Grid) -> dict[int, int]:
    """Give the tiles numbers, line by line along the shorter axis, so that neighbours lie near."""
    size_x, size_y = (len({place[axis] for place in grid.values()}) for axis in (0, 1))
    order = sorted(grid, key=lambda tile: grid[tile] if size_x >= size_y else grid[tile][::-1])
    return {tile: i for i, tile in enumerate(order)}


def _ends(index: Mapping[int, int], pairs: Sequence[tuple[int, int, Along]]) -> NDArray[np.intp]:
    """Return the indices (N, 2) of the tiles of pairs."""
    ends = [(index[first], index[second]) for first, second, _ in pairs]
    return np.array(ends, np.intp).reshape(-1, 2)


def _precisions(links: Sequence[Link]) -> Offsets:
    """Inverse covariances (N, 2, 2), where no covariance is below the floor."""
    bound = np.array([link.precision for link in links]).reshape(-1, 3)[:, [0, 2, 2, 1]]
    bound = bound.reshape(-1, 2, 2)
    return np.linalg.solve(np.eye(2) + _FLOOR_PX**2 * bound, bound)


def _first_weights(
    measured: Offsets, expected: Offsets, steps: _Steps, trusted: Sequence[Link]
) -> Offsets:
    """Doubt links far from the typical step, without dropping any."""
    allowed = np.array([3 * steps.spread_px[link.along] + 2 for link in trusted])
    squared = ((measured - expected) ** 2).sum(axis=1) / np.maximum(allowed**2, 1)
    return 1 / (1 + squared) ** 2


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
