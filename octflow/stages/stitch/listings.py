"""Tile coordinates written for other programs: Fiji, and those that read lists of files."""

from collections.abc import Mapping
from pathlib import Path

from octflow.core.names import mosaic_name, tile_name
from octflow.core.record import Product
from octflow.io.records import product
from octflow.io.tileconfig import TilePosition, write_tileconfig
from octflow.io.tilemap import Tilemap, write_listing
from octflow.io.tiles import TileMaps


def write_configurations(
    folder: Path, mosaic: int, found: Tilemap, step_px: tuple[float, float]
) -> list[Product]:
    """Write nominal and found positions as Fiji does."""
    nominal = {tile: (x * step_px[0], y * step_px[1]) for tile, (x, y) in found.grid.items()}
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


def write_listings(
    folder: Path, mosaic: int, tilemap: Tilemap, maps: Mapping[str, TileMaps]
) -> list[Product]:
    """Write which tile files make up the mosaic of every map, and where each lies."""
    written = []
    for modality, source in maps.items():
        path = folder / mosaic_name(mosaic, modality, ".yaml")
        write_listing(path, tilemap, base_dir=source.folder, mosaic=mosaic, modality=modality)
        written.append(product(path, f"{modality}_tiles"))
    return written
