"""Pictures of a grid of tiles, with a field per link."""

from collections.abc import Sequence
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
        One number per link; of several links between the same tiles the largest is drawn.

    Returns
    -------
    picture : (2 G_y - 1, 2 G_x - 1) float32 array
        Tiles lie at even indices, the links between them; NaN where there is no link.
    """
    picture = np.full([2 * n - 1 for n in _size(grid)], np.nan, np.float32)
    for link, value in zip(links, values, strict=True):
        (x, y), (other_x, other_y) = grid[link.first], grid[link.second]
        at = y + other_y, x + other_x
        picture[at] = np.fmax(picture[at], value)
    return picture


def _size(grid: Grid) -> tuple[int, int]:
    x, y = np.max(list(grid.values()), axis=0) + 1
    return int(y), int(x)
