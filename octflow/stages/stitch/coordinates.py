"""From the maps of the tiles to their coordinates."""

from collections.abc import Mapping

from octflow.core.correlate import Floats
from octflow.core.mosaic import Grid, neighbours
from octflow.stages.stitch.links import Link, find_link
from octflow.stages.stitch.solve import Solution, solve_positions


def find_positions(
    tiles: Mapping[int, Floats],
    grid: Grid,
    *,
    step_px: tuple[float, float],
    search_px: int,
    min_confidence: float,
    mask_threshold_db: float,
) -> Solution:
    """Link all neighbours that are there, and solve for the positions of all tiles.

    Parameters
    ----------
    tiles : mapping of int to (Y, X) or (C, Y, X) array
        Maps of the tiles that are there; channel 0 is the average intensity in dB.
    grid : mapping of int to (grid_x, grid_y)
        All tiles of the mosaic.
    step_px : (2,) floats
        Nominal grid step (x, y).
    search_px, min_confidence, mask_threshold_db
        See `find_link`.

    Raises
    ------
    EstimateError
        No link is trusted.
    """
    links: list[Link] = []
    for pair in neighbours(grid):
        if pair[0] not in tiles or pair[1] not in tiles:
            continue
        link = find_link(
            pair,
            _channels(tiles[pair[0]]),
            _channels(tiles[pair[1]]),
            step_px=step_px[0] if pair[2] == "x" else step_px[1],
            search_px=search_px,
            min_confidence=min_confidence,
            mask_threshold_db=mask_threshold_db,
        )
        if link is not None:
            links.append(link)
    return solve_positions(grid, links, step_px)


def _channels(maps: Floats) -> Floats:
    return maps if maps.ndim == 3 else maps[None]
