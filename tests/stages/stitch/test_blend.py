import math

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.core.mosaic import Layout, resampled
from octflow.stages.stitch.blend import blend, blend_halves

TILE = (6, 8)
POSITIONS = {1: (0.0, 0.0), 2: (5.3, 0.4), 3: (0.2, 3.75)}
GRID = {1: (0, 0), 2: (1, 0), 3: (0, 1)}
LAYOUT = Layout(POSITIONS, TILE, (2, 3))


def tiles(axial=False):
    rng = np.random.default_rng(0)
    low, high = (-90, 90) if axial else (0, 50)
    found = {t: rng.uniform(low, high, TILE).astype(np.float32) for t in POSITIONS}
    found[1][2, 6] = np.nan
    return found


def bilinear(tile, v, u):
    """Value at a fractional place of a tile, None outside or beside an empty pixel."""
    y, x = math.floor(v), math.floor(u)
    total = 0
    for i, part_y in ((y, 1 - (v - y)), (y + 1, v - y)):
        for j, part_x in ((x, 1 - (u - x)), (x + 1, u - x)):
            if part_y * part_x == 0:
                continue
            if not (0 <= i < TILE[0] and 0 <= j < TILE[1]) or np.isnan(tile[i, j]):
                return None
            total = total + part_y * part_x * tile[i, j]
    return total


def slowly_blended(found, y, x):
    """The definition, for one pixel."""
    total, weights = 0, 0
    for tile, values in found.items():
        v, u = y - POSITIONS[tile][1], x - POSITIONS[tile][0]
        if (value := bilinear(values, v, u)) is not None:
            weight = min(1, (v + 1) / 3, (TILE[0] - v) / 3) * min(1, (u + 1) / 4, (TILE[1] - u) / 4)
            total, weights = total + weight * value, weights + weight
    return total / weights if weights else np.nan


def test_mosaic_is_the_definition_pixel_by_pixel():
    found = {t: tile.astype(np.float64) for t, tile in tiles().items()}
    mosaic = blend(LAYOUT, tiles())
    for y, x in np.ndindex(*mosaic.shape):
        expected = slowly_blended(found, y, x)
        assert mosaic[y, x] == pytest.approx(expected, abs=1e-3, nan_ok=True)


def test_axes_are_blended_as_doubled_angle_vectors():
    found = {t: np.exp(2j * np.deg2rad(v.astype(float))) for t, v in tiles(axial=True).items()}
    mosaic = blend(LAYOUT, tiles(axial=True), axial=True)
    for y, x in np.ndindex(*mosaic.shape):
        expected = np.rad2deg(np.angle(slowly_blended(found, y, x))) / 2
        difference = axis_difference(mosaic[y, x], expected)
        assert float(difference) == pytest.approx(
            0 if np.isfinite(expected) else np.nan, abs=0.02, nan_ok=True
        )


def test_axes_on_both_sides_of_the_wrap_stay_there():
    layout = Layout({1: (0.0, 0.0), 2: (4.5, 0.0)}, TILE, (2, 3))
    pair = {1: np.full(TILE, 85, np.float32), 2: np.full(TILE, -85, np.float32)}
    mosaic = blend(layout, pair, axial=True)
    assert np.nanmin(np.abs(mosaic)) >= 85 - 1e-3


def test_constant_tiles_give_a_constant_mosaic_without_seams():
    mosaic = blend(LAYOUT, {t: np.full(TILE, 7.5, np.float32) for t in POSITIONS})
    np.testing.assert_allclose(mosaic[np.isfinite(mosaic)], 7.5, rtol=1e-6)


def test_missing_tile_leaves_a_hole():
    mosaic = blend(LAYOUT, {t: v for t, v in tiles().items() if t != 2})
    assert np.isnan(mosaic[:, 9:]).all()
    assert np.isfinite(mosaic[0, :6]).all()


def test_without_tiles_the_mosaic_is_empty():
    assert np.isnan(blend(LAYOUT, {})).all()


def test_tile_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"tile 2: \(6, 7\) pixels, not \(6, 8\)"):
        blend(LAYOUT, tiles() | {2: np.zeros((6, 7), np.float32)})


def test_halves_hold_every_other_tile():
    blended = blend_halves(LAYOUT, tiles(), GRID)
    np.testing.assert_array_equal(blended.even, blend(LAYOUT, {1: tiles()[1]}))
    np.testing.assert_array_equal(blended.odd, blend(LAYOUT, {t: tiles()[t] for t in (2, 3)}))
    np.testing.assert_allclose(blended.whole, blend(LAYOUT, tiles()), rtol=1e-5)


def test_bands_leave_no_trace():
    rng = np.random.default_rng(0)
    layout = Layout({t: (9.3 * (t % 3), 41.7 * (t // 3)) for t in range(9)}, (60, 12), (18, 3))
    found = {t: rng.uniform(0, 50, (60, 12)).astype(np.float32) for t in range(9)}
    mosaic, weights = np.zeros((2, *layout.shape))
    for tile, values in found.items():
        placement = layout.placement(tile)
        mosaic[placement.where] += placement.weight * resampled(values, placement)
        weights[placement.where] += placement.weight
    covered = weights > 0
    assert mosaic.shape[0] > 4 * 32
    np.testing.assert_allclose(
        blend(layout, found)[covered], mosaic[covered] / weights[covered], rtol=1e-5
    )


def test_each_tile_is_read_once_in_the_order_of_y():
    class Counted(dict):
        read = ()

        def __getitem__(self, tile):
            self.read = (*self.read, tile)
            return np.full((40, 8), float(tile), np.float32)

    tiles = Counted(dict.fromkeys(range(12)))
    layout = Layout({t: (6.0 * (t % 2), 30.0 * (t // 2)) for t in tiles}, (40, 8), (10, 2))
    blend(layout, tiles)
    assert sorted(tiles.read) == list(range(12))
    assert [tile // 2 for tile in tiles.read] == sorted(tile // 2 for tile in tiles)
