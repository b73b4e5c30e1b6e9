import itertools
import math

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.core.mosaic import Layout
from octflow.core.scaled import Scaled, unscaled
from octflow.stages.volume.fuse import Fusion

SHAPE = (12, 6, 7)
POSITIONS = {1: (0.0, 0.25), 2: (4.6, 0.0), 3: (0.4, 3.5)}
OVERLAP = (2, 3)


def tiles(seed=0, axial=False):
    rng = np.random.default_rng(seed)
    low, high = (-90, 90) if axial else (40, 80)
    found = {t: rng.uniform(low, high, SHAPE).astype(np.float32) for t in POSITIONS}
    found[2][4, 2, 3] = np.nan
    return found


def stored(volumes):
    return {tile: unscaled(volume) for tile, volume in volumes.items()}


def shift(seed=1):
    return np.random.default_rng(seed).uniform(-1.5, 4.5, SHAPE[1:]).astype(np.float32)


def along(position, floor=math.floor):
    """The two samples a fractional position lies between, with their parts."""
    whole = floor(position)
    part = position - whole
    return [(whole, 1 - part)] + ([(whole + 1, part)] if part else [])


def vector_at(volume, shift_px, z, v, u, axial):
    """Value of a tile at depth z of the fused volume and place (v, u) of the tile, or None."""
    total = np.zeros(2 if axial else 1)
    for (y, part_y), (x, part_x) in itertools.product(along(v), along(u)):
        if not (0 <= y < SHAPE[1] and 0 <= x < SHAPE[2]):
            return None
        for k, part_z in along(z + float(shift_px[y, x])):
            if not 0 <= k < SHAPE[0] or not np.isfinite(volume[k, y, x]):
                return None
            a = math.radians(2 * float(volume[k, y, x]))
            value = (math.cos(a), math.sin(a)) if axial else (float(volume[k, y, x]),)
            total += part_y * part_x * part_z * np.array(value)
    return total


def ramp(k, size, r):
    return min(1, (k + 1) / (r + 1), (size - k) / (r + 1))


def slowly_fused(volumes, shift_px, shape, axial):
    """The definition, voxel by voxel."""
    fused = np.full(shape, np.nan)
    for z, y, x in np.ndindex(*shape):
        total, weights = 0, 0
        for tile, volume in volumes.items():
            v, u = y - POSITIONS[tile][1], x - POSITIONS[tile][0]
            if (value := vector_at(volume, shift_px, z, v, u, axial)) is not None:
                weight = ramp(v, SHAPE[1], OVERLAP[0]) * ramp(u, SHAPE[2], OVERLAP[1])
                total, weights = total + weight * value, weights + weight
        if weights and axial:
            fused[z, y, x] = math.degrees(math.atan2(total[1], total[0])) / 2
        elif weights:
            fused[z, y, x] = total[0] / weights
    return fused


@pytest.mark.parametrize("axial", [False, True], ids=["scalar", "axial"])
def test_block_is_the_definition_voxel_by_voxel(axial):
    layout = Layout(POSITIONS, SHAPE[1:], OVERLAP)
    fusion = Fusion(layout, stored(tiles(axial=axial)), shift(), axial)
    shape = (9, *layout.shape)
    block = fusion.block(*(slice(0, n) for n in shape))
    expected = slowly_fused(tiles(axial=axial), shift(), shape, axial)
    np.testing.assert_array_equal(np.isnan(block), np.isnan(expected))
    difference = axis_difference(block, expected) if axial else block - expected
    assert np.nanmax(np.abs(difference)) < 2e-3


@pytest.mark.parametrize("axial", [False, True], ids=["scalar", "axial"])
def test_blocks_put_together_are_the_whole(axial):
    layout = Layout(POSITIONS, SHAPE[1:], OVERLAP)
    fusion = Fusion(layout, stored(tiles(axial=axial)), shift(), axial)
    shape = (40, *layout.shape)
    whole = fusion.block(*(slice(0, n) for n in shape))
    for z, y, x in itertools.product((0, 20), (0, 4), (0, 5)):
        where = (slice(z, z + 20), slice(y, min(y + 4, shape[1])), slice(x, min(x + 5, shape[2])))
        np.testing.assert_array_equal(fusion.block(*where), whole[where])


def test_blocks_in_memory_used_again_are_the_same():
    layout = Layout(POSITIONS, SHAPE[1:], OVERLAP)
    fusion = Fusion(layout, stored(tiles()), shift())
    for y, x in itertools.product((0, 4), (0, 5)):
        where = (slice(0, 9), slice(y, y + 4), slice(x, x + 4))
        np.testing.assert_array_equal(fusion.passing_block(*where), fusion.block(*where))


def test_whole_positions_and_shifts_move_voxels_unchanged():
    layout = Layout({1: (0.0, 0.0), 2: (7.0, 0.0)}, SHAPE[1:], (0, 0))
    volumes = {t: v for t, v in tiles().items() if t in {1, 2}}
    fusion = Fusion(layout, stored(volumes), np.full(SHAPE[1:], 3, np.float32))
    block = fusion.block(slice(0, 9), slice(0, 6), slice(0, 14))
    np.testing.assert_allclose(block[:, :, :7], volumes[1][3:], rtol=1e-6)
    np.testing.assert_allclose(block[:, :, 7:], volumes[2][3:], rtol=1e-6)


def test_axes_on_both_sides_of_the_wrap_do_not_cancel():
    layout = Layout({1: (0.0, 0.0), 2: (3.5, 0.0)}, (4, 6), (0, 2))
    volumes = {1: np.full((5, 4, 6), 89, np.float32), 2: np.full((5, 4, 6), -89, np.float32)}
    fusion = Fusion(layout, stored(volumes), np.zeros((4, 6), np.float32), axial=True)
    block = fusion.block(slice(0, 5), slice(0, 4), slice(0, 9))
    assert np.nanmin(np.abs(block)) >= 89 - 1e-3


def test_outside_the_mask_voxels_are_empty():
    layout = Layout(POSITIONS, SHAPE[1:], OVERLAP)
    mask = np.ones(layout.shape, np.uint8)
    mask[2, 3] = 0
    flat = np.zeros(SHAPE[1:], np.float32)
    fusion = Fusion(layout, stored(tiles()), flat, mask=mask)
    block = fusion.block(slice(0, 4), slice(1, 5), slice(2, 6))
    np.testing.assert_array_equal(np.isnan(block).all(axis=0), mask[1:5, 2:6] == 0)


def test_missing_tile_leaves_a_hole():
    layout = Layout(POSITIONS, SHAPE[1:], OVERLAP)
    volumes = {t: v for t, v in tiles().items() if t != 2}
    fusion = Fusion(layout, stored(volumes), np.zeros(SHAPE[1:], np.float32))
    block = fusion.block(slice(0, 4), slice(0, 3), slice(0, layout.shape[1]))
    assert np.isnan(block[:, :, 8:]).all()
    assert np.isfinite(block[:, 1:, :6]).all()


@pytest.mark.parametrize("axial", [False, True], ids=["scalar", "axial"])
def test_integers_with_a_scale_are_fused_as_their_values(axial):
    layout = Layout({1: (0.0, 0.25), 2: (4.6, 0.0)}, SHAPE[1:], OVERLAP)
    codes = np.random.default_rng(3).integers(-30000, 30000, (2, *SHAPE)).astype(np.int16)
    step, base = np.float32(0.003), np.float32(0.5)
    scaled = {t: Scaled(codes[t - 1], step, base) for t in (1, 2)}
    floats = {t: unscaled(codes[t - 1] * step + base) for t in (1, 2)}
    where = (slice(0, 9), *(slice(0, n) for n in layout.shape))
    blocks = [Fusion(layout, v, shift(), axial).block(*where) for v in (scaled, floats)]
    np.testing.assert_allclose(blocks[0], blocks[1], atol=2e-3)
