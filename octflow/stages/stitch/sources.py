"""Where tile coordinates come from: solved for here, found by Fiji, or brought along."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from octflow.core.errors import DataError, EstimateError
from octflow.core.experiment import Illumination
from octflow.core.mosaic import Grid, Position
from octflow.io.coordinates import read_coordinates
from octflow.io.fiji import find_with_fiji
from octflow.io.records import read_record
from octflow.io.tiles import TileMaps
from octflow.stages.stitch.coordinates import find_links, renumbered
from octflow.stages.stitch.given import compared, completed, placed_by_neighbours
from octflow.stages.stitch.links import Link
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.stitch.solve import Solution, solve_positions


@dataclass(frozen=True)
class Scan:
    """The tiles of one mosaic."""

    flags: list[Path]
    """Records of its processed batches."""
    grid: Grid
    """Place (x, y) of every tile."""
    shape: tuple[int, int]
    """Size (n_y, n_x) of a tile."""

    def maps(self, *roles: str) -> TileMaps:
        """Return maps of the tiles that are there."""
        return TileMaps(self.flags, roles, self.shape, among=self.grid)

    def links(self, illumination: Illumination, settings: StitchSettings) -> list[Link]:
        """Measure how neighbouring tiles lie."""
        roles = dict.fromkeys(("aip", *settings.link_modalities))
        return find_links(self.maps(*roles), self.grid, **_search(illumination, settings))


class _Search(TypedDict):
    step_px: tuple[float, float]
    search_px: int
    min_confidence: float
    mask_threshold_db: float


def _search(illumination: Illumination, settings: StitchSettings) -> _Search:
    return {
        "step_px": illumination.nominal_step_px(),
        "search_px": settings.search_px,
        "min_confidence": settings.min_confidence,
        "mask_threshold_db": illumination.mask_threshold_db,
    }


def scans_of(
    processed: list[Path], grids: dict[int, list[list[int]]], shape: tuple[int, int]
) -> list[Scan]:
    """Sort the flags of processed batches by mosaic.

    Parameters
    ----------
    processed : list of Path
        Flags of the batches of all mosaics.
    grids : dict of int to list of [tile, grid_x, grid_y]
        All tiles of every mosaic.
    shape : (2,) ints
        Size (n_y, n_x) of a tile.
    """
    flags: dict[int | None, list[Path]] = {}
    for flag in processed:
        flags.setdefault(read_record(flag).unit.mosaic, []).append(flag)
    return [
        Scan(flags.get(mosaic, []), {tile: (x, y) for tile, x, y in grid}, shape)
        for mosaic, grid in grids.items()
    ]


def solution_of(
    scans: Sequence[Scan], illumination: Illumination, settings: StitchSettings, folder: Path
) -> Solution:
    """Give every tile of the first mosaic its position, and say what the links think of it.

    Parameters
    ----------
    scans : sequence of Scan
        Mosaics of the same places, whose links count alike.
    illumination : Illumination
        Nominal step and background level.
    settings : StitchSettings
        Engine, files brought along, search.
    folder : Path
        Where an engine may work.

    Raises
    ------
    EstimateError
        No link is trusted, or the engine found no lattice.
    """
    grid = scans[0].grid
    links = [
        link
        for scan in scans
        for link in renumbered(scan.links(illumination, settings), scan.grid, grid)
    ]
    if brought := settings.coordinates.get(illumination.name):
        path = Path(brought)
        return compared(_completed(read_coordinates(path, grid), grid, path), grid, links)
    if settings.engine == "octflow":
        return solve_positions(grid, links, illumination.nominal_step_px())
    found = find_with_fiji(
        scans[0].maps("aip"),
        grid,
        overlap_fraction=illumination.overlap_fraction,
        program=settings.fiji,
        timeout_s=settings.fiji_timeout_s,
        folder=folder,
    )
    placed = placed_by_neighbours(
        found, grid, step_px=illumination.nominal_step_px(), search_px=settings.search_px
    )
    if not placed:
        raise EstimateError(
            f"tile coordinates: found {len(found)} positions of Fiji, none {settings.search_px} px "
            "or less from the nominal step to a neighbour, expected at least two"
        )
    return compared(_completed(placed, grid, folder), grid, links)


def _completed(positions_px: dict[int, Position], grid: Grid, source: Path) -> dict[int, Position]:
    try:
        return completed(positions_px, grid)
    except ValueError as error:
        expected = "positions that tell where all tiles lie"
        raise DataError(source, found=str(error), expected=expected) from error
