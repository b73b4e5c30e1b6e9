"""Stage stitch, file to file: maps of tiles to coordinates, and to mosaics."""

from dataclasses import replace
from pathlib import Path

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Outcome, Product
from octflow.io.picture import write_sheet
from octflow.io.records import checked, listed, product, read_record
from octflow.io.tilemap import Tilemap, read_tilemap, write_tilemap
from octflow.io.tiles import TileMaps, hole_warnings, mosaic_of, tile_fates
from octflow.stages.stitch import report
from octflow.stages.stitch.blend import blend_halves
from octflow.stages.stitch.enface import Maps
from octflow.stages.stitch.listings import write_configurations, write_listings
from octflow.stages.stitch.products import Shelf
from octflow.stages.stitch.refine import refine_positions
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.stitch.sources import scans_of, solution_of


def find_tilemap(
    *,
    processed: list[Path],
    tilemap: Path,
    picture: Path,
    folder: Path,
    illumination: Illumination,
    grids: dict[int, list[list[int]]],
    instrument: Instrument,
    settings: StitchSettings,
) -> Outcome:
    """Find the tile coordinates of an illumination on its first mosaic, or on several.

    Parameters
    ----------
    processed : list of Path
        Flags of the processed batches of these mosaics.
    tilemap : Path
        Template of the coordinates to be written.
    picture : Path
        Sheet of residuals, links and seams to be written.
    folder : Path
        Folder of the TileConfiguration files.
    illumination : Illumination
        Tile size, overlap and background level.
    grids : dict of mosaic to list of [tile, grid_x, grid_y]
        All tiles of every mosaic; the first one's are those of the template.
    instrument : Instrument
        Voxel size.
    settings : StitchSettings
        How links are found and judged.

    Raises
    ------
    EstimateError
        No link between tiles can be trusted, or a gate says fail.
    """
    shape = _tile_shape(illumination)
    scans = scans_of(processed, grids, shape)
    first, mosaic = scans[0], next(iter(grids))
    solution = solution_of(scans, illumination, settings, folder)
    size_mm, overlap_px = instrument.voxel_size_mm, _overlap_px(illumination)
    found = Tilemap(illumination.name, size_mm, overlap_px, solution.positions_px, dict(first.grid))
    write_tilemap(tilemap, found)
    configurations = write_configurations(folder, mosaic, found, illumination.nominal_step_px())
    aip = first.maps("aip")
    panels = report.link_panels(
        solution, first.grid, blend_halves(found.layout(shape), aip, first.grid)
    )
    write_sheet(picture, panels, title=f"Tile coordinates, illumination {illumination.name}")
    tiles = tile_fates(first.flags, first.grid, aip)
    numbers = {"mosaics": len(scans), **report.link_numbers(solution, first.grid)}
    gates = report.judge(numbers, settings)
    report.refuse(f"tile coordinates of {illumination.name}", gates)
    return Outcome(
        inputs=_brought(illumination, settings),
        outputs=[product(tilemap, "tilemap"), *configurations, product(picture, "picture")],
        tiles=tiles,
        qc=numbers,
        gates=gates,
        warnings=[*hole_warnings(tiles), *report.gate_warnings(gates)],
    )


def refine_tilemap(
    *,
    processed: list[Path],
    found: Path,
    tilemap: Path,
    picture: Path,
    illumination: Illumination,
    grid: list[list[int]],
    settings: StitchSettings,
) -> Outcome:
    """Find the tile coordinates of one mosaic around those of its illumination.

    Parameters
    ----------
    processed : list of Path
        Flags of the processed batches of the mosaic.
    found : Path
        Flag of the tile coordinates of its illumination.
    tilemap : Path
        Template of the mosaic's coordinates to be written.
    picture : Path
        Sheet of residuals, links and seams to be written.
    illumination : Illumination
        Tile size and background level.
    grid : list of [tile, grid_x, grid_y]
        All tiles of the mosaic.
    settings : StitchSettings
        How links are found and judged, and how far tiles may be moved.
    """
    mosaic, shape = mosaic_of(processed), _tile_shape(illumination)
    coordinates = checked(listed(read_record(found), "tilemap")[0])
    (scan,) = scans_of(processed, {mosaic: grid}, shape)
    template = read_tilemap(coordinates).on(dict(scan.grid))
    links = scan.links(illumination, settings)
    refined = refine_positions(
        template.positions_px, scan.grid, links, refine_px=settings.refine_px
    )
    own = replace(template, positions_px=refined.solution.positions_px)
    write_tilemap(tilemap, own)
    aip = scan.maps("aip")
    blended = blend_halves(own.layout(shape), aip, scan.grid)
    panels = [
        *report.link_panels(refined.solution, scan.grid, blended),
        report.moved_panel(refined, blended),
    ]
    write_sheet(picture, panels, title=f"Tile coordinates, mosaic {mosaic}", across=4)
    numbers = report.link_numbers(refined.solution, scan.grid) | report.moved_numbers(refined)
    gates = report.judge(numbers, settings)
    return Outcome(
        inputs=[product(coordinates, "tilemap")],
        outputs=[product(tilemap, "tilemap"), product(picture, "picture")],
        tiles=tile_fates(processed, scan.grid, aip),
        qc=numbers,
        gates=gates,
        warnings=[*report.kept_warnings(refined), *report.gate_warnings(gates)],
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
    made.outputs += write_listings(folder, shelf.mosaic, tilemap, maps)
    title = f"Mosaic {shelf.mosaic}, illumination {illumination.name}"
    write_sheet(overview, made.panels, title=title, across=4)
    tiles = tile_fates(processed, tilemap.grid, maps["aip"])
    gates = report.judge(made.numbers, settings)
    report.refuse(f"mosaic {shelf.mosaic}", gates)
    return Outcome(
        inputs=[product(coordinates, "tilemap")],
        outputs=[*made.outputs, product(overview, "overview")],
        tiles=tiles,
        qc=made.numbers,
        gates=gates,
        warnings=[*hole_warnings(tiles), *made.warnings, *report.gate_warnings(gates)],
    )


def _brought(illumination: Illumination, settings: StitchSettings) -> list[Product]:
    """List the file that the coordinates were taken from, if any."""
    path = settings.coordinates.get(illumination.name)
    return [product(Path(path), "coordinates")] if path else []


def _tile_shape(illumination: Illumination) -> tuple[int, int]:
    return (illumination.tile_size_y_px, illumination.tile_size_x_px)


def _overlap_px(illumination: Illumination) -> tuple[int, int]:
    y, x = (round(size * illumination.overlap_fraction) for size in _tile_shape(illumination))
    return (y, x)
