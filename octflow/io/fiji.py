"""Fiji's plug-in Grid/Collection stitching, run without a screen, as finder of coordinates.

Its options are spelled as its macro recorder spells them; Preibisch, Saalfeld and Tomancak,
Bioinformatics 25 (2009) describe what it does.
"""

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from numpy.typing import NDArray

from octflow.core.errors import DataError, EstimateError, SettingsError
from octflow.core.mosaic import Grid, Position
from octflow.io.coordinates import read_coordinates
from octflow.io.tileconfig import TilePosition, write_tileconfig

log = logging.getLogger(__name__)

_NAME = "tile_{:04d}.tif"
_CONFIGURATION = "TileConfiguration.txt"
_FILE_LAYOUT = (
    f"type=[Positions from file] order=[Defined by TileConfiguration] layout_file={_CONFIGURATION}"
)
"""For mosaics with holes: a grid that lacks a file Fiji refuses."""
_THRESHOLDS = (
    "regression_threshold=0.30 max/avg_displacement_threshold=2.50 "
    "absolute_displacement_threshold=3.50"
)
_OPTIONS = (
    "fusion_method=[Do not fuse images (only write TileConfiguration)] "
    f"{_THRESHOLDS} compute_overlap subpixel_accuracy "
    "computation_parameters=[Save computation time (but use more RAM)] "
    "image_output=[Fuse and display]"
)


def find_with_fiji(
    tiles: Mapping[int, NDArray[np.float32]],
    grid: Grid,
    *,
    overlap_fraction: float,
    program: str,
    timeout_s: int,
    folder: Path,
) -> dict[int, Position]:
    """Let Fiji find the positions of the tiles of a mosaic.

    Parameters
    ----------
    tiles : mapping of int to (Y, X) float32 array
        Average intensity of the tiles that are there.
    grid : mapping of int to (grid_x, grid_y)
        All tiles of the mosaic.
    overlap_fraction : float
        Nominal overlap of neighbours.
    program : str
        Fiji: a path, or a name on the PATH.
    timeout_s : int
        Time after which it is stopped.
    folder : Path
        Where the tiles are written for it, for as long as it runs.

    Returns
    -------
    positions_px : dict of int to (x, y)
        Position of every tile that is there, as Fiji has written it. Tiles that it could not link
        are among them, mostly at the origin.

    Raises
    ------
    SettingsError
        There is no such program.
    EstimateError
        There is nothing to be stitched, it did not end well or in time, or gave no positions.
    DataError
        Its positions cannot be read, or are not those of all tiles.
    """
    if len(tiles) < 2:
        raise EstimateError(f"Fiji: found {len(tiles)} tiles to be stitched, expected two or more")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = _snake(grid)
    with TemporaryDirectory(dir=folder, prefix="fiji-") as name:
        work = Path(name).absolute()
        for tile, picture in tiles.items():
            tifffile.imwrite(work / _NAME.format(numbers[tile]), _filled(picture))
        layout = _grid_layout(grid, overlap_fraction)
        if len(tiles) < len(grid):
            nominal = _nominal(tiles, grid, overlap_fraction)
            named = [TilePosition(_NAME.format(numbers[t]), *p) for t, p in nominal.items()]
            write_tileconfig(work / _CONFIGURATION, named)
            layout = _FILE_LAYOUT
        macro = work / "stitch.ijm"
        options = f"{layout} directory=[{work}] {_OPTIONS}"
        macro.write_text(
            f'run("Grid/Collection stitching", "{options}");\neval("script", "System.exit(0);");\n'
        )
        _run([program, "--headless", "--console", "-macro", str(macro)], work / "log", timeout_s)
        return _registered(work / "TileConfiguration.registered.txt", tiles, numbers)


def _snake(grid: Grid) -> dict[int, int]:
    """Count the places of a grid from 1, as Fiji does: snake by columns, up and right."""
    first_x, first_y = (min(place[axis] for place in grid.values()) for axis in (0, 1))
    size_y = max(y for _, y in grid.values()) - first_y + 1
    numbers = {}
    for tile, (x, y) in grid.items():
        column, k = x - first_x, y - first_y
        numbers[tile] = column * size_y + (k if column % 2 else size_y - 1 - k) + 1
    return numbers


def _grid_layout(grid: Grid, overlap_fraction: float) -> str:
    size_x, size_y = (len({place[axis] for place in grid.values()}) for axis in (0, 1))
    return (
        f"type=[Grid: snake by columns] order=[Up & Right] grid_size_x={size_x} "
        f"grid_size_y={size_y} tile_overlap={100 * overlap_fraction:g} first_file_index_i=1 "
        f"file_names=tile_{{iiii}}.tif output_textfile_name={_CONFIGURATION}"
    )


def _nominal(
    tiles: Mapping[int, NDArray[np.float32]], grid: Grid, overlap_fraction: float
) -> dict[int, Position]:
    n_y, n_x = next(iter(tiles.values())).shape
    keep = 1 - overlap_fraction
    return {tile: (grid[tile][0] * n_x * keep, grid[tile][1] * n_y * keep) for tile in tiles}


def _filled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace what has no value by the darkest: one NaN spoils a correlation."""
    valid = np.isfinite(picture)
    return np.where(valid, picture, picture[valid].min() if valid.any() else 0).astype(np.float32)


def _run(command: list[str], said: Path, timeout_s: int) -> None:
    """Run a program to its end; what it says goes to the log."""
    log.info("running %s", " ".join(command))
    try:
        # A file, not a pipe: what Fiji leaves running may hold a pipe open for ever.
        with said.open("w") as out:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
    except (FileNotFoundError, PermissionError) as error:
        raise SettingsError(
            f"stitch.fiji {command[0]}: found {error.strerror}, expected the program of Fiji, such "
            "as /opt/Fiji.app/ImageJ-linux64, or stitch.engine: octflow"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EstimateError(
            f"{command[0]}: found no end after {timeout_s} s, expected coordinates within "
            f"stitch.fiji_timeout_s; it said: {_last_line(said)}"
        ) from error
    finally:
        if said.exists():
            log.info("%s said:\n%s", command[0], said.read_text(errors="replace"))
    if done.returncode:
        raise EstimateError(
            f"{command[0]}: found exit status {done.returncode}, expected 0; "
            f"it said: {_last_line(said)}"
        )


def _last_line(said: Path) -> str:
    lines = said.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


def _registered(
    path: Path, tiles: Mapping[int, NDArray[np.float32]], numbers: Mapping[int, int]
) -> dict[int, Position]:
    """Read what Fiji wrote, in the numbers of the tiles."""
    if not path.exists():
        raise EstimateError(
            f"Fiji: found no {path.name}, expected one; it said: {_last_line(path.parent / 'log')}"
        )
    places = dict.fromkeys(numbers.values(), (0, 0))
    found = read_coordinates(path, places)
    lacking = [tile for tile in tiles if numbers[tile] not in found]
    if lacking:
        raise DataError(path.name, found=f"no tiles {lacking}", expected=f"{len(tiles)} tiles")
    return {tile: found[numbers[tile]] for tile in tiles}
