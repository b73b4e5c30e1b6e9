"""Pictures of a grid of tiles: one field per tile and one per link."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Grid


class Pair(Protocol):
    """Two neighbours: a link, a seam."""

    @property
    def first(self) -> int:
        """Tile with the smaller grid coordinate."""
        ...

    @property
    def second(self) -> int:
        """Its neighbour."""
        ...


def link_map(grid: Grid, links: Sequence[Pair], values: Sequence[float]) -> NDArray[np.float32]:
    """Draw a number of every link between the fields of its two tiles.

    Parameters
    ----------
    grid : mapping of int to (grid_x, grid_y)
        All tiles.
    links : sequence of Pair
        Links, or seams, to be drawn.
    values : sequence of float
        One number per link.

    Returns
    -------
    picture : (2 G_y - 1, 2 G_x - 1) float32 array
        Tiles lie at even indices, the links between them; NaN where there is no link.
    """
    picture = np.full([2 * n - 1 for n in _size(grid)], np.nan, np.float32)
    for link, value in zip(links, values, strict=True):
        (x, y), (other_x, other_y) = grid[link.first], grid[link.second]
        picture[y + other_y, x + other_x] = value
    return picture


def tile_map(grid: Grid, values: Mapping[int, float]) -> NDArray[np.float32]:
    """Draw a number of every tile at its place in the grid, NaN where there is none."""
    picture = np.full(_size(grid), np.nan, np.float32)
    for tile, value in values.items():
        x, y = grid[tile]
        picture[y, x] = value
    return picture


def _size(grid: Grid) -> tuple[int, int]:
    x, y = np.max(list(grid.values()), axis=0) + 1
    return int(y), int(x)
