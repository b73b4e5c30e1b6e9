"""Stage stitch, file to file: maps of tiles to coordinates, and to mosaics."""

from pathlib import Path

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import Outcome, Product
from octflow.io.picture import write_sheet
from octflow.io.records import checked, listed, product, read_record
from octflow.io.tileconfig import TilePosition, write_tileconfig
from octflow.io.tilemap import Tilemap, read_tilemap, write_tilemap
from octflow.io.tiles import TileMaps, hole_warnings, mosaic_of, tile_fates
from octflow.stages.stitch import report
from octflow.stages.stitch.blend import blend_halves
from octflow.stages.stitch.coordinates import find_positions
from octflow.stages.stitch.enface import Maps
from octflow.stages.stitch.products import Shelf
from octflow.stages.stitch.settings import StitchSettings


def find_tilemap(
    *,
    processed: list[Path],
    tilemap: Path,
    picture: Path,
    folder: Path,
    illumination: Illumination,
    grid: list[list[int]],
    instrument: Instrument,
    settings: StitchSettings,
) -> Outcome:
    """Find the tile coordinates of an illumination on its first mosaic.

    Parameters
    ----------
    processed : list of Path
        Flags of the processed batches of that mosaic.
    tilemap : Path
        Template of the coordinates to be written.
    picture : Path
        Sheet of residuals, links and seams to be written.
    folder : Path
        Folder of the TileConfiguration files.
    illumination : Illumination
        Tile size, overlap and background level.
    grid : list of [tile, grid_x, grid_y]
        All tiles of the mosaic.
    instrument : Instrument
        Voxel size.
    settings : StitchSettings
        How links are found and judged.

    Raises
    ------
    EstimateError
        No link between tiles can be trusted.
    """
    places = {tile: (x, y) for tile, x, y in grid}
    shape = _tile_shape(illumination)
    roles = list(dict.fromkeys(("aip", *settings.link_modalities)))
    maps = TileMaps(processed, roles, shape, among=places)
    solution = find_positions(
        maps,
        places,
        step_px=illumination.nominal_step_px(),
        search_px=settings.search_px,
        min_confidence=settings.min_confidence,
        mask_threshold_db=illumination.mask_threshold_db,
    )
    size_mm, overlap_px = instrument.voxel_size_mm, _overlap_px(illumination)
    found = Tilemap(illumination.name, size_mm, overlap_px, solution.positions_px, places)
    write_tilemap(tilemap, found)
    configurations = _write_configurations(folder, mosaic_of(processed), found, illumination)
    aip = TileMaps(processed, ["aip"], shape, among=places)
    panels = report.link_panels(solution, places, blend_halves(found.layout(shape), aip, places))
    write_sheet(picture, panels, title=f"Tile coordinates, illumination {illumination.name}")
    tiles = tile_fates(processed, places, maps)
    numbers = report.link_numbers(solution, places)
    gates = report.link_gates(numbers, settings)
    return Outcome(
        outputs=[product(tilemap, "tilemap"), *configurations, product(picture, "picture")],
        tiles=tiles,
        qc=numbers,
        gates=gates,
        warnings=[*hole_warnings(tiles), *report.gate_warnings(gates)],
    )


def stitch_enface(
    *,
    processed: list[Path],
    found: Path,
    overview: Path,
    folder: Path,
    illumination: Illumination,
    grid: list[list[int]],
    instrument: Instrument,
    settings: StitchSettings,
) -> Outcome:
    """Blend the maps of a mosaic's tiles, one mosaic per modality, and find the tissue.

    Parameters
    ----------
    processed : list of Path
        Flags of the processed batches of the mosaic.
    found : Path
        Flag of the tile coordinates of its illumination.
    overview : Path
        Sheet of all mosaics to be written.
    folder : Path
        Folder of the mosaics.
    illumination : Illumination
        Tile size and background level.
    grid : list of [tile, grid_x, grid_y]
        All tiles of the mosaic.
    instrument : Instrument
        Voxel size.
    settings : StitchSettings
        Modalities, placement, mask.
    """
    coordinates = checked(listed(read_record(found), "tilemap")[0])
    tilemap = read_tilemap(coordinates).on({tile: (x, y) for tile, x, y in grid})
    shape = _tile_shape(illumination)
    layout = tilemap.layout(shape, subpixel=settings.placement == "subpixel")
    wanted: dict[str, None] = dict.fromkeys(("aip", *settings.modalities))
    maps = {m: TileMaps(processed, [m], shape, among=tilemap.positions_px) for m in wanted}
    x_mm, y_mm, z_mm = instrument.voxel_size_mm
    size_mm = (x_mm, y_mm, maps["aip"].voxel_z_mm or z_mm)
    shelf = Shelf(folder, mosaic_of(processed), size_mm, settings)
    made = Maps(layout, tilemap.grid, shelf, illumination.mask_threshold_db)
    made.stitch(maps)
    title = f"Mosaic {shelf.mosaic}, illumination {illumination.name}"
    write_sheet(overview, made.panels, title=title, across=4)
    tiles = tile_fates(processed, tilemap.grid, maps["aip"])
    gates = report.enface_gates(made.numbers, settings)
    return Outcome(
        inputs=[product(coordinates, "tilemap")],
        outputs=[*made.outputs, product(overview, "overview")],
        tiles=tiles,
        qc=made.numbers,
        gates=gates,
        warnings=[*hole_warnings(tiles), *made.warnings, *report.gate_warnings(gates)],
    )


def _write_configurations(
    folder: Path, mosaic: int, found: Tilemap, illumination: Illumination
) -> list[Product]:
    """Write nominal and found positions as Fiji does."""
    step_x, step_y = illumination.nominal_step_px()
    nominal = {tile: (x * step_x, y * step_y) for tile, (x, y) in found.grid.items()}
    written = []
    for name, role, positions in (
        ("TileConfiguration.txt", "tileconfiguration", nominal),
        ("TileConfiguration.registered.txt", "tileconfiguration_registered", found.positions_px),
    ):
        tiles = [
            TilePosition(tile_name(mosaic, tile, "aip"), *position)
            for tile, position in sorted(positions.items())
        ]
        write_tileconfig(folder / name, tiles)
        written.append(product(folder / name, role))
    return written


def _tile_shape(illumination: Illumination) -> tuple[int, int]:
    return (illumination.tile_size_y_px, illumination.tile_size_x_px)


def _overlap_px(illumination: Illumination) -> tuple[int, int]:
    y, x = (round(size * illumination.overlap_fraction) for size in _tile_shape(illumination))
    return (y, x)
