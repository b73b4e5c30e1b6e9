"""Grids of speckled tiles, cut from one field at known fractional positions."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage


def speckled(shape, rng, looks=12):
    """Average intensity in dB of several speckle fields: texture with a known band."""
    total = np.zeros(shape)
    for _ in range(looks):
        parts = (ndimage.gaussian_filter(rng.normal(size=shape), 0.8) for _ in range(2))
        total += 10 * np.log10(sum(part**2 for part in parts))
    return (total - total.mean()) / looks


def cut(field, x, y, shape):
    """Cut a tile at a fractional position by the Fourier shift theorem."""
    margin = 12
    i, j = int(np.floor(y)), int(np.floor(x))
    part = field[i : i + shape[0] + 2 * margin, j : j + shape[1] + 2 * margin]
    moved = ndimage.fourier_shift(np.fft.fft2(part), (i - y, j - x))
    return np.fft.ifft2(moved).real[margin:-margin, margin:-margin].astype(np.float32)


@dataclass(frozen=True)
class Scan:
    """Tiles with their true positions."""

    grid: dict
    positions: dict
    tiles: dict
    step_px: tuple
    tissue: set


def scan(
    grid_size=(4, 3),
    tile_px=(64, 64),
    overlap=0.25,
    jitter_px=1.0,
    skew_deg=0.6,
    noise_db=1.0,
    backlash_px=0.0,
    background=(),
    seed=0,
    slice_seed=None,
    drift_px=(0.0, 0.0),
):
    """Scan a speckled field by columns; tiles in `background` see only noise, at 50 dB.

    `slice_seed` is that of another slice under the same stage; it drifts from column to column.
    """
    rng = np.random.default_rng(seed)
    (size_x, size_y), (n_y, n_x) = grid_size, tile_px
    step = (n_x * (1 - overlap), n_y * (1 - overlap))
    skew = np.tan(np.deg2rad(skew_deg))
    grid = {x * size_y + y + 1: (x, y) for x in range(size_x) for y in range(size_y)}
    places = {}
    for tile, (x, y) in grid.items():
        jitter = rng.normal(0, jitter_px, 2)
        places[tile] = (
            x * (step[0] + drift_px[0]) - y * step[1] * skew + jitter[0],
            y * step[1] + x * (step[0] * skew + drift_px[1]) + backlash_px * (x % 2) + jitter[1],
        )
    low = np.min(list(places.values()), axis=0)
    positions = {t: tuple(np.subtract(p, low)) for t, p in places.items()}
    high = np.max(list(positions.values()), axis=0)
    rng = rng if slice_seed is None else np.random.default_rng(slice_seed)
    field = 70 + 3 * speckled((int(high[1]) + n_y + 30, int(high[0]) + n_x + 30), rng)
    tiles = {
        t: cut(field, *positions[t], (n_y, n_x)) + rng.normal(0, noise_db, (n_y, n_x)) for t in grid
    }
    for tile in background:
        tiles[tile] = 50 + rng.normal(0, noise_db, (n_y, n_x))
    tiles = {t: tile.astype(np.float32) for t, tile in tiles.items()}
    return Scan(grid, positions, tiles, step, set(grid) - set(background))


def error_px(found, truth, tiles):
    """Position errors (N, 2) of some tiles, without the common offset."""
    tiles = sorted(tiles)
    errors = np.array([np.subtract(found[t], truth[t]) for t in tiles])
    return errors - errors.mean(axis=0)


@pytest.fixture(scope="session")
def cut_scan():
    return scan


@pytest.fixture(scope="session")
def position_errors():
    return error_px
