"""The coordinates of one mosaic, where its own links say it lies off the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.mosaic import Grid, Position
from octflow.stages.stitch.given import compared
from octflow.stages.stitch.links import Link
from octflow.stages.stitch.solve import Solution, solve_positions

_MIN_LINKS = 4
"""Trusted links from which a mosaic is moved: fewer do not show how the stage drifted."""


@dataclass(frozen=True)
class Refined:
    """What became of the template's coordinates."""

    solution: Solution
    """Positions and links; the template's positions where `kept` says why."""
    moved_px: NDArray[np.float64]
    """Shift (x, y) that the links ask for, of every tile in ascending order."""
    kept: str | None
    """Why the template's positions are kept; None where they are not."""


def refine_positions(
    template_px: Mapping[int, Position], grid: Grid, links: Sequence[Link], *, refine_px: float
) -> Refined:
    """Find how the tiles lie off the template, from the links of one mosaic.

    The links are taken relative to the template and solved as links always are, so that what a
    tile without a link is pulled to is the template, moved on as its neighbours are.

    Parameters
    ----------
    template_px : mapping of int to (x, y)
        Position of every tile of the grid.
    grid : mapping of int to (grid_x, grid_y)
        All tiles of the mosaic.
    links : sequence of Link
        Measured offsets.
    refine_px : float
        Largest shift of a tile, and of a link. Links beyond it do not count; where a tile had to
        be moved further the template is kept.

    Returns
    -------
    refined : Refined
        The mean shift of linked tiles is 0: the mosaic stays in the frame of the template.
    """
    relative = [_relative(link, template_px, refine_px) for link in links]
    try:
        solved = solve_positions(grid, relative, (0.0, 0.0))
    except EstimateError:
        return _kept(template_px, grid, links, "no trusted link")
    trusted = [link for link in solved.links if link.verdict == "trusted"]
    if len(trusted) < _MIN_LINKS:
        return _kept(template_px, grid, links, f"{len(trusted)} trusted links")
    linked = {tile for link in trusted for tile in (link.first, link.second)}
    moved = np.array([solved.positions_px[tile] for tile in sorted(grid)])
    moved -= np.mean([solved.positions_px[tile] for tile in sorted(linked)], axis=0)
    if (most := float(np.abs(moved).max())) > refine_px:
        kept = _kept(template_px, grid, links, f"a tile would move by {most:.1f} px")
        return replace(kept, moved_px=moved)
    found = np.array([template_px[tile] for tile in sorted(grid)]) + moved
    found -= np.minimum(found.min(axis=0), 0)
    positions = {t: (float(x), float(y)) for t, (x, y) in zip(sorted(grid), found, strict=True)}
    absolute = [
        replace(judged, offset_px=link.offset_px)
        for judged, link in zip(solved.links, links, strict=True)
    ]
    return Refined(Solution(positions, absolute, solved.residuals_px), moved, None)


def _relative(link: Link, template_px: Mapping[int, Position], refine_px: float) -> Link:
    """Take a link relative to the template; doubt it where it is too far off."""
    off = np.subtract(link.offset_px, template_px[link.second]) + template_px[link.first]
    verdict = link.verdict
    if verdict in {"trusted", "unclear"} and np.abs(off).max() > refine_px:
        verdict = "inconsistent"
    return replace(link, offset_px=(float(off[0]), float(off[1])), verdict=verdict)


def _kept(
    template_px: Mapping[int, Position], grid: Grid, links: Sequence[Link], why: str
) -> Refined:
    return Refined(compared(template_px, grid, links), np.zeros((len(grid), 2)), why)
