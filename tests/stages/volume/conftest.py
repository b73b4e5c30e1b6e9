"""Tiles that see one tissue through a known focus pattern."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.mosaic import Layout
from octflow.core.names import tile_name
from octflow.core.record import TileFailure, Tiles
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.io.tilemap import Tilemap, write_tilemap

from flags import write_flag

N_Z, TILE_PX, STEP_PX, OVERLAP_PX = 90, 40, 30, 10
MISSING = 4
ILLUMINATION = Illumination(
    name="normal",
    grid_size_x=3,
    tile_size_x_px=TILE_PX,
    tile_size_y_px=TILE_PX,
    overlap_fraction=0.25,
)
INSTRUMENT = Instrument(voxel_x_um=12, voxel_y_um=10, voxel_z_um=2.5)


def pattern(tile_px=TILE_PX):
    """Focus pattern F - min F: a polynomial of degree 2."""
    y, x = np.indices((tile_px, tile_px)) / (tile_px - 1)
    f = 4 * x + 2 * y + 5 * (x - 0.4) ** 2 + 3 * (y - 0.6) ** 2 - 2 * x * y
    return (f - f.min()).astype(np.float32)


def tissue_surface(y, x):
    """Uneven surface, in depth samples, over the mosaic."""
    return 40 + 4 * np.sin(x / 17) + 3 * np.cos(y / 23) + 0.02 * x


def grid_of(size_x=3, size_y=2):
    return {x * size_y + y + 1: (x, y) for x in range(size_x) for y in range(size_y)}


def layout_of(grid, tile_px=TILE_PX, step_px=STEP_PX, overlap_px=OVERLAP_PX, seed=0):
    rng = np.random.default_rng(seed)
    jitter = {t: rng.uniform(0, 2, 2) for t in grid}
    positions = {
        t: (x * step_px + jitter[t][0], y * step_px + jitter[t][1]) for t, (x, y) in grid.items()
    }
    low = np.min(list(positions.values()), axis=0)
    positions = {t: (float(p[0] - low[0]), float(p[1] - low[1])) for t, p in positions.items()}
    return Layout(positions, (tile_px, tile_px), (overlap_px, overlap_px))


def surface_of(layout, tile):
    """Surface as a tile shows it: tissue plus pattern."""
    y, x = np.indices(layout.tile_shape)
    at_x, at_y = layout.positions_px[tile]
    return (tissue_surface(y + at_y, x + at_x) + pattern(layout.tile_shape[0])).astype(np.float32)


def depth_volume():
    """Every voxel holds its depth less the pattern: what flattening must make level."""
    z = np.arange(N_Z)[:, None, None]
    return (z - pattern()[None]).astype(np.float32)


@dataclass(frozen=True)
class Phantom:
    grid: dict
    layout: Layout

    surface_of = staticmethod(surface_of)
    pattern = staticmethod(pattern)
    depth_volume = staticmethod(depth_volume)


@pytest.fixture(scope="session")
def phantom():
    grid = grid_of()
    return Phantom(grid, layout_of(grid))


@pytest.fixture(scope="session")
def large_phantom():
    grid = grid_of(4, 3)
    return Phantom(grid, layout_of(grid, tile_px=120, step_px=96, overlap_px=24))


UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}


@dataclass(frozen=True)
class Project:
    folder: Path
    processed: list
    found: Path
    stitched: Path
    grid: dict
    illumination: Illumination = ILLUMINATION
    instrument: Instrument = INSTRUMENT
    n_z: int = N_Z
    missing: int = MISSING


@pytest.fixture(scope="session")
def project(tmp_path_factory, phantom):
    """A mosaic of 3 x 2 tiles in one batch, one tile missing, left 10 px outside the tissue."""
    folder = tmp_path_factory.mktemp("volume")
    level = depth_volume()
    axis = (level * 4 + 90) % 180 - 90
    outputs = []
    for tile in set(phantom.grid) - {MISSING}:
        surface = surface_of(phantom.layout, tile)
        maps = {"surfraw": np.rint(surface), "aip": np.full_like(surface, 70)}
        for role, array in {**maps, "dBI": level, "R3D": level, "O3D": axis}.items():
            path = folder / tile_name(1, tile, role)
            write_nifti(path, array.astype(np.float32), voxel_size_mm=(0.012, 0.01, 0.0025))
            outputs.append(product(path, role, tile))
    holes = [TileFailure(tile=MISSING, reason="declared missing")]
    ok = sorted(set(phantom.grid) - {MISSING})
    batch = folder / "batch-001.processed"
    told = Tiles(ok=ok, missing=holes)
    write_flag(batch, "process_batch", outputs=outputs, tiles=told, unit=UNIT)
    tilemap = Tilemap(
        "normal",
        INSTRUMENT.voxel_size_mm,
        (OVERLAP_PX, OVERLAP_PX),
        phantom.layout.positions_px,
        phantom.grid,
    )
    write_tilemap(folder / "tilemap-normal.j2", tilemap)
    template = product(folder / "tilemap-normal.j2", "tilemap")
    found = write_flag(folder / "tilemap-normal.found", outputs=[template], unit=UNIT)
    mask = np.ones(phantom.layout.shape, np.uint8)
    mask[:, :10] = 0
    write_nifti(folder / "mask.nii.gz", mask, voxel_size_mm=(0.012, 0.01, 0.2))
    masks = [product(folder / "mask.nii.gz", "mask")]
    stitched = write_flag(folder / "mosaic-001.stitched", outputs=masks, unit=UNIT)
    return Project(folder, [batch], found, stitched, phantom.grid)
