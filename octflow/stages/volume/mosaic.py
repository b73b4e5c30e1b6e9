"""What decides every voxel of the volume of a mosaic, read from the flags of other stages."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.mosaic import Layout
from octflow.core.names import AXIAL, mosaic_name
from octflow.core.record import Product, Tiles
from octflow.io.digest import content_id
from octflow.io.nifti import read_nifti
from octflow.io.omezarr import Plan
from octflow.io.records import checked, listed, product, read_record
from octflow.io.tilemap import Tilemap, read_tilemap
from octflow.io.tiles import TileMaps, TileVolumes, mosaic_of, tile_fates
from octflow.stages.volume import VERSION
from octflow.stages.volume.depth import shallowest_px, top_px
from octflow.stages.volume.fuse import Fusion
from octflow.stages.volume.settings import VolumeSettings
from octflow.stages.volume.surfaces import Surfaces, flattened


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


class Volume(NamedTuple):
    """A volume about to be written."""

    path: Path
    """Its folder."""
    plan: Plan
    """Shape, scale, layout on disk."""
    fusion: Fusion
    """Its values."""
    tiles: Tiles
    """Which tiles it is made from, and why not from the others."""
    coverage: float
    """Part of the mosaic's pixels that a tile reaches."""
    base_px: float
    """Depth of the shallowest tissue surface once the focus pattern is subtracted."""
    inputs: list[Product]
    """What it is made from besides the tiles."""

    def share(self, number: int) -> Path:
        """Return the folder of a share of the shards."""
        return self.path.with_name(f".share-{number}-{self.path.name}")


def volume_of(mosaic: Mosaic) -> Volume:
    """Read what decides every voxel of a volume."""
    settings, illumination, processed = mosaic.settings, mosaic.illumination, mosaic.processed
    template, coordinates = tilemap_of(mosaic.found)
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
    return Volume(
        path,
        plan,
        fusion,
        tiles=tile_fates(processed, tilemap.grid, volumes),
        coverage=float(np.mean(layout.counted(volumes) > 0)),
        base_px=base_px,
        inputs=[coordinates, pattern],
    )


def tilemap_of(found: Path) -> tuple[Tilemap, Product]:
    """Read the tilemap that a flag lists."""
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
