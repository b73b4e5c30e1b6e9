"""Coordinates that somebody brings along: a tilemap, or a TileConfiguration as Fiji writes it."""

import re
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.mosaic import Grid, Position
from octflow.io.tileconfig import read_tileconfig
from octflow.io.tilemap import read_tilemap


def read_coordinates(path: Path, grid: Grid) -> dict[int, Position]:
    """Read the positions of tiles.

    Parameters
    ----------
    path : Path
        A tilemap (.j2), whose tiles are known by their places, or a TileConfiguration, whose tiles
        are known by the number in their name.
    grid : mapping of int to (grid_x, grid_y)
        The tiles there can be.

    Returns
    -------
    positions_px : dict of int to (x, y)
        Position of every tile that the file names.

    Raises
    ------
    DataError
        The file cannot be read, names no tile of the grid, another tile, or a tile twice.
    """
    if path.suffix == ".j2":
        return read_tilemap(path).on(dict(grid)).positions_px
    found: dict[int, Position] = {}
    for line in read_tileconfig(path):
        tile = tile_number(line.name)
        if tile is None or tile not in grid or tile in found:
            expected = f"each of tiles {min(grid)} to {max(grid)} at most once"
            raise DataError(path, found=f"{line.name} for tile {tile}", expected=expected)
        found[tile] = (line.x_px, line.y_px)
    if not found:
        raise DataError(path, found="no tile", expected=f"tiles {min(grid)} to {max(grid)}")
    return found


def tile_number(name: str) -> int | None:
    """Return the number of a tile: what follows `image`, or else the last number of the name.

    Examples
    --------
    >>> tile_number("mosaic_001_image_0012_aip.nii"), tile_number("processed/tile 7.tif")
    (12, 7)
    >>> tile_number("a.tif") is None
    True
    """
    stem = re.split(r"[/\\]", name)[-1].split(".")[0]
    if match := re.search(r"image_(\d+)", stem, re.IGNORECASE):
        return int(match[1])
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers else None
