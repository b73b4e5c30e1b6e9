"""Stage volume, file to file: surfaces to the focus plane, volumes of tiles to volumes."""

from collections.abc import Sequence
from pathlib import Path

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.mosaic import neighbours
from octflow.core.names import VOLUMES
from octflow.core.record import Outcome, Record, TileFailure, Tiles
from octflow.io.nifti import write_nifti
from octflow.io.picture import write_sheet
from octflow.io.records import product, read_record
from octflow.io.tiles import TileMaps, hole_warnings, mosaic_of, tile_fates
from octflow.io.volume_writer import write_share, write_volume
from octflow.stages.volume import report
from octflow.stages.volume.focus import find_focus_plane
from octflow.stages.volume.mosaic import Mosaic, tilemap_of, volume_of
from octflow.stages.volume.settings import VolumeSettings
from octflow.stages.volume.surfaces import Surfaces


def find_focus(
    *,
    processed: list[Path],
    found: Path,
    focus: Path,
    picture: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: VolumeSettings,
) -> Outcome:
    """Find the surface pattern that all tiles of an illumination share.

    Parameters
    ----------
    processed : list of Path
        Flags of the processed batches of the mosaic the coordinates were found on.
    found : Path
        Flag of the tile coordinates.
    focus : Path
        Pattern F - min F to be written, in depth samples.
    picture : Path
        Sheet to be written.
    illumination : Illumination
        Tile size and background level.
    instrument : Instrument
        Voxel size.
    settings : VolumeSettings
        A-lines to be ignored.
    """
    tilemap, coordinates = tilemap_of(found)
    shape = (illumination.tile_size_y_px, illumination.tile_size_x_px)
    layout = tilemap.layout(shape)
    maps = TileMaps(processed, ["surfraw", "aip"], shape, among=tilemap.positions_px)
    surfaces = Surfaces(
        maps,
        threshold_db=illumination.mask_threshold_db,
        skip_x_px=min(settings.skip_x_px, tilemap.overlap_px[1] // 2),
    )
    pairs = [p[:2] for p in neighbours(tilemap.grid) if p[0] in maps and p[1] in maps]
    fitted = find_focus_plane(layout, surfaces, pairs)
    write_nifti(focus, fitted.pattern_px, voxel_size_mm=instrument.voxel_size_mm)
    title = f"Focus plane, illumination {illumination.name}"
    write_sheet(picture, report.focus_panels(fitted, layout, surfaces), title=title)
    numbers = report.focus_numbers(fitted)
    gates = report.focus_gates(numbers, settings)
    tiles = tile_fates(processed, tilemap.grid, maps)
    return Outcome(
        inputs=[coordinates],
        outputs=[product(focus, "focus"), product(picture, "picture")],
        tiles=tiles,
        qc=numbers,
        gates=gates,
        warnings=[*hole_warnings(tiles), *report.gate_warnings(gates)],
    )


def stitch_share(  # noqa: PLR0913 - the names of the rule
    *,
    processed: list[Path],
    found: Path,
    focused: Path,
    stitched: Path,
    folder: Path,
    illumination: Illumination,
    grid: list[list[int]],
    instrument: Instrument,
    modality: str,
    settings: VolumeSettings,
    share: int,
    threads: int,
) -> Outcome:
    """Fuse a share of a volume, for `stitch_volume` to put together.

    Parameters
    ----------
    processed, found, focused, stitched, folder, illumination, grid, instrument, modality, settings
        See `Mosaic`.
    share : int
        Which one, from 1 to `settings.shares`.
    threads : int
        Shards worked on side by side.
    """
    source = (processed, found, focused, stitched, folder, illumination, grid, instrument)
    volume = volume_of(Mosaic(*source, modality, settings))
    n_shards = write_share(
        volume.share(share),
        volume.plan,
        block_of=volume.fusion.passing_block,
        number=share,
        of=settings.shares,
        threads=threads,
    )
    return Outcome(inputs=volume.inputs, qc={"shards": n_shards})


def stitch_volume(  # noqa: PLR0913 - the names of the rule
    *,
    processed: list[Path],
    found: Path,
    focused: Path,
    stitched: Path,
    folder: Path,
    overview: Path,
    illumination: Illumination,
    grid: list[list[int]],
    instrument: Instrument,
    modality: str,
    settings: VolumeSettings,
    threads: int,
    shares: Sequence[Path] = (),
) -> Outcome:
    """Fuse the volumes of a mosaic's tiles, flattened by the focus plane, for one modality.

    Parameters
    ----------
    processed, found, focused, stitched, folder, illumination, grid, instrument, modality, settings
        See `Mosaic`.
    overview : Path
        Sheet of sections to be written.
    threads : int
        Shards worked on side by side.
    shares : sequence of Path
        Flags of the shares that other jobs have made, in their order.
    """
    source = (processed, found, focused, stitched, folder, illumination, grid, instrument)
    volume = volume_of(Mosaic(*source, modality, settings))
    path = volume.path
    write_volume(
        path,
        volume.plan,
        block_of=volume.fusion.passing_block,
        threads=threads,
        shares=[volume.share(number + 1) for number in range(len(shares))],
    )
    title = f"{modality}, mosaic {mosaic_of(processed)}, illumination {illumination.name}"
    write_sheet(overview, report.section_panels(path, modality), title=title)
    return Outcome(
        inputs=volume.inputs,
        outputs=[product(path, modality), product(overview, "overview")],
        tiles=volume.tiles,
        qc={
            "base_px": volume.base_px,
            "offset_px": settings.offset_px,
            "tiles": len(volume.tiles.ok),
            "coverage": volume.coverage,
        },
        warnings=hole_warnings(volume.tiles),
    )


def join_volumes(*, volumes: list[Path]) -> Outcome:
    """List the volumes of a mosaic, one per modality, in one flag.

    Parameters
    ----------
    volumes : list of Path
        Flags of the stitched volumes.
    """
    records = [read_record(flag) for flag in volumes]
    tiles = {hole.tile: hole for record in records for hole in _missing(record)}
    ok = {tile for record in records if record.tiles for tile in record.tiles.ok}
    return Outcome(
        outputs=[p for record in records for p in record.outputs if p.role in VOLUMES],
        tiles=Tiles(ok=sorted(ok - set(tiles)), missing=[tiles[t] for t in sorted(tiles)]),
        qc={f"base_px_{r.unit.modality}": r.qc.get("base_px") for r in records},
        warnings=list(dict.fromkeys(w for record in records for w in record.warnings)),
    )


def _missing(record: Record) -> list[TileFailure]:
    return [*record.tiles.missing, *record.tiles.failed] if record.tiles else []
