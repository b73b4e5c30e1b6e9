"""Stage volume, file to file: surfaces to the focus plane, volumes of tiles to volumes."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.mosaic import Layout, neighbours
from octflow.core.names import AXIAL, VOLUMES, mosaic_name
from octflow.core.record import Outcome, Product, Record, TileFailure, Tiles
from octflow.io.digest import content_id
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.omezarr import Plan
from octflow.io.picture import write_sheet
from octflow.io.records import checked, listed, product, read_record
from octflow.io.tilemap import Tilemap, read_tilemap
from octflow.io.tiles import TileMaps, TileVolumes, hole_warnings, mosaic_of, tile_fates
from octflow.io.volume_writer import write_share, write_volume
from octflow.stages.volume import VERSION, report
from octflow.stages.volume.depth import shallowest_px, top_px
from octflow.stages.volume.focus import find_focus_plane
from octflow.stages.volume.fuse import Fusion
from octflow.stages.volume.settings import VolumeSettings
from octflow.stages.volume.surfaces import Surfaces, flattened


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
    tilemap, coordinates = _tilemap_of(found)
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


class Mosaic(NamedTuple):
    """What a volume is made from, by the names that rules give it."""

    processed: list[Path]
    """Flags of the processed batches of the mosaic."""
    found: Path
    """Flag of the tile coordinates."""
    focused: Path
    """Flag of the focus plane."""
    stitched: Path
    """Flag of the stitched maps."""
    folder: Path
    """Folder of the volume."""
    illumination: Illumination
    """Tile size and background level."""
    grid: list[list[int]]
    """[tile, grid x, grid y] of all tiles of the mosaic."""
    instrument: Instrument
    """Voxel size."""
    modality: str
    """dBI, R3D or O3D."""
    settings: VolumeSettings
    """Depth, mask, layout on disk."""


class _Volume(NamedTuple):
    """A volume about to be written."""

    path: Path
    plan: Plan
    fusion: Fusion
    tiles: Tiles
    coverage: float
    base_px: float
    inputs: list[Product]

    def share(self, number: int) -> Path:
        """Return the folder of a share of the shards."""
        return self.path.with_name(f".share-{number}-{self.path.name}")


def fuse_share(  # noqa: PLR0913 - the names of the rule
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
    volume = _volume_of(
        Mosaic(
            processed,
            found,
            focused,
            stitched,
            folder,
            illumination,
            grid,
            instrument,
            modality,
            settings,
        )
    )
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
    """
    volume = _volume_of(
        Mosaic(
            processed,
            found,
            focused,
            stitched,
            folder,
            illumination,
            grid,
            instrument,
            modality,
            settings,
        )
    )
    path = volume.path
    write_volume(
        path,
        volume.plan,
        block_of=volume.fusion.passing_block,
        threads=threads,
        shares=[volume.share(i + 1) for i in range(settings.shares)],
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


def _volume_of(mosaic: Mosaic) -> _Volume:
    """Read what decides every voxel of a volume."""
    settings, illumination, processed = mosaic.settings, mosaic.illumination, mosaic.processed
    template, coordinates = _tilemap_of(mosaic.found)
    tilemap = template.on({tile: (x, y) for tile, x, y in mosaic.grid})
    shape = (illumination.tile_size_y_px, illumination.tile_size_x_px)
    layout = tilemap.layout(shape, subpixel=settings.placement == "subpixel")
    pattern_px, pattern = _pattern_of(mosaic.focused, shape)
    maps = TileMaps(processed, ["surfraw", "aip"], shape, among=tilemap.positions_px)
    surfaces = Surfaces(maps, threshold_db=illumination.mask_threshold_db)
    base_px = shallowest_px(flattened(surfaces, pattern_px))
    mask = _mask_of(mosaic.stitched, layout) if settings.mask_volumes else None
    volumes = TileVolumes(processed, mosaic.modality, shape, among=tilemap.positions_px)
    fusion = Fusion(
        layout,
        volumes,
        top_px(pattern_px, base_px=base_px, offset_px=settings.offset_px),
        axial=mosaic.modality in AXIAL,
        mask=None if mask is None else mask[0],
    )
    path = mosaic.folder / mosaic_name(mosaic_of(processed), mosaic.modality, ".ome.zarr")
    plan = Plan(
        (settings.depth_px, *layout.shape),
        mosaic.instrument.voxel_size_mm,
        path.name.removesuffix(".ome.zarr"),
        axial=fusion.axial,
        chunk_px=settings.chunk_px,
        shard_px=settings.shard_px,
        version=settings.ome_zarr,
        made_from=_digest_of(
            layout=[layout.positions_px, layout.overlap_px, base_px],
            others=[pattern.id, None if mask is None else mask[1].id],
            tiles=_ids_of(processed, mosaic.modality, volumes),
            settings=settings.model_dump(mode="json", exclude={"shares"}),
        ),
    )
    return _Volume(
        path,
        plan,
        fusion,
        tiles=tile_fates(processed, tilemap.grid, volumes),
        coverage=float(np.mean(layout.counted(volumes) > 0)),
        base_px=base_px,
        inputs=[coordinates, pattern],
    )


def _missing(record: Record) -> list[TileFailure]:
    return [*record.tiles.missing, *record.tiles.failed] if record.tiles else []


def _tilemap_of(found: Path) -> tuple[Tilemap, Product]:
    path = checked(listed(read_record(found), "tilemap")[0])
    return read_tilemap(path), product(path, "tilemap")


def _pattern_of(focused: Path, shape: tuple[int, int]) -> tuple[NDArray[np.float32], Product]:
    path = checked(listed(read_record(focused), "focus")[0])
    pattern_px = np.asarray(read_nifti(path), dtype=np.float32)
    if pattern_px.shape != shape:
        raise DataError(path, found=f"pixels {pattern_px.shape}", expected=f"pixels {shape}")
    return pattern_px, product(path, "focus")


def _mask_of(stitched: Path, layout: Layout) -> tuple[NDArray[np.uint8], Product]:
    path = checked(listed(read_record(stitched), "mask")[0])
    mask = np.asarray(read_nifti(path), dtype=np.uint8)
    if mask.shape != layout.shape:
        raise DataError(path, found=f"pixels {mask.shape}", expected=f"pixels {layout.shape}")
    return mask, product(path, "mask")


def _digest_of(**decisive: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return the digest of all that decides the voxels of a volume."""
    return content_id({"version": VERSION, **decisive})


def _ids_of(processed: list[Path], modality: str, tiles: Collection[int]) -> dict[str, str]:
    """Return the digests of the volumes of tiles, as their records have them."""
    found = (p for flag in processed for p in listed(read_record(flag), modality))
    return {str(p.tile): p.id for p in found if p.tile in tiles}
