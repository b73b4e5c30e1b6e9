"""Coordinates that were not solved for here, held against the links between the tiles."""

from collections.abc import Mapping, Sequence

import numpy as np

from octflow.core.mosaic import Grid, Place, Position, extended, neighbours
from octflow.stages.stitch.links import Link
from octflow.stages.stitch.solve import Solution, solve_positions


def compared(positions_px: Mapping[int, Position], grid: Grid, links: Sequence[Link]) -> Solution:
    """Return given positions with what the links say of them.

    Which links can be trusted is for the links to agree on; their residuals are those of the given
    positions. So the numbers and pictures of coordinates are the same whoever found them.

    Parameters
    ----------
    positions_px : mapping of int to (x, y)
        Position of every tile of the grid.
    grid : mapping of int to (grid_x, grid_y)
        All tiles.
    links : sequence of Link
        Links measured between them.
    """
    judged = list(links)
    if any(link.verdict == "trusted" for link in links):
        judged = solve_positions(grid, links, (0.0, 0.0)).links
    residuals = [
        np.subtract(link.offset_px, positions_px[link.second]) + positions_px[link.first]
        for link in judged
    ]
    placed = {tile: positions_px[tile] for tile in grid}
    return Solution(placed, judged, np.array(residuals, np.float64).reshape(-1, 2))


def completed(positions_px: Mapping[int, Position], grid: Grid) -> dict[int, Position]:
    """Return positions for all tiles of a grid, on the lattice where none is known.

    Parameters
    ----------
    positions_px : mapping of int to (x, y)
        Known positions.
    grid : mapping of int to (grid_x, grid_y)
        All tiles.

    Returns
    -------
    positions_px : dict of int to (x, y)
        The smallest along each axis is 0.

    Raises
    ------
    ValueError
        The known positions do not determine a lattice.
    """
    known: dict[Place, Position] = {grid[tile]: p for tile, p in positions_px.items()}
    found = extended(known, grid.values())
    low_x, low_y = (min(p[axis] for p in found.values()) for axis in (0, 1))
    return {t: (found[at][0] - low_x, found[at][1] - low_y) for t, at in grid.items()}


def placed_by_neighbours(
    positions_px: Mapping[int, Position],
    grid: Grid,
    *,
    step_px: tuple[float, float],
    search_px: float,
) -> dict[int, Position]:
    """Return the positions that agree with the grid, next to at least one neighbour.

    Fiji puts tiles that it could not link at the origin; they agree with none.

    Parameters
    ----------
    positions_px : mapping of int to (x, y)
        Found positions.
    grid : mapping of int to (grid_x, grid_y)
        Places of the tiles.
    step_px : (2,) floats
        Nominal grid step (x, y).
    search_px : float
        Largest deviation from it, along both axes.

    Examples
    --------
    >>> found = {1: (0.0, 0.0), 2: (81.0, 0.5), 3: (0.0, 0.0)}
    >>> grid = {1: (0, 0), 2: (1, 0), 3: (2, 0)}
    >>> sorted(placed_by_neighbours(found, grid, step_px=(80, 80), search_px=10))
    [1, 2]
    """
    there = {tile: grid[tile] for tile in positions_px}
    agreeing: set[int] = set()
    for first, second, along in neighbours(there):
        nominal = (step_px[0], 0.0) if along == "x" else (0.0, step_px[1])
        off = np.subtract(positions_px[second], positions_px[first]) - nominal
        if np.abs(off).max() <= search_px:
            agreeing |= {first, second}
    return {tile: p for tile, p in positions_px.items() if tile in agreeing}
