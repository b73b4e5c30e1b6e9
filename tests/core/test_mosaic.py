import numpy as np
import pytest

from octflow.core.mosaic import Layout, neighbours, ramp_weight, resampled


def linear_tile(shape, a, b):
    y, x = np.indices(shape)
    return (a * y + b * x).astype(np.float32)


def test_weights_of_neighbours_that_overlap_as_planned_add_up_to_one():
    weight = ramp_weight(np.arange(20.0), 20, 6)
    np.testing.assert_allclose(weight[-6:] + weight[:6], 1, rtol=1e-6)
    np.testing.assert_array_equal(weight[6:-6], 1)


def test_weights_are_symmetric_and_positive():
    weight = ramp_weight(np.arange(9.0), 9, 4)
    np.testing.assert_array_equal(weight, weight[::-1])
    assert weight.min() == pytest.approx(1 / 5)


@pytest.mark.parametrize("position", [(0.0, 0.0), (2.25, 0.0), (0.5, 3.75)])
def test_pixel_p_of_a_tile_at_position_x_lies_at_x_plus_p(position):
    layout = Layout({1: position}, (6, 7), (2, 2))
    placement = layout.placement(1)
    shown = resampled(linear_tile((6, 7), 10, 1), placement)
    y, x = (np.arange(s.start, s.stop) for s in placement.where)
    expected = 10 * (y[:, None] - position[1]) + (x - position[0])
    np.testing.assert_allclose(shown, expected, atol=1e-4)
    assert placement.weight.shape == shown.shape


def test_rounded_placement_leaves_the_pixels_as_they_are():
    layout = Layout({1: (2.6, 1.4)}, (4, 4), (1, 1), subpixel=False)
    placement = layout.placement(1)
    assert placement.where == (slice(1, 5), slice(3, 7))
    tile = linear_tile((4, 4), 3, 2)
    np.testing.assert_array_equal(resampled(tile, placement), tile)


def test_mosaic_holds_every_tile():
    layout = Layout({1: (0.0, 0.0), 2: (5.2, 3.0)}, (4, 6), (1, 1))
    assert layout.shape == (7, 12)
    assert layout.placement(2).where == (slice(3, 7), slice(6, 11))


def test_tiles_that_reach_a_pixel_are_counted():
    layout = Layout({1: (0.0, 0.0), 2: (3.0, 0.0)}, (2, 4), (1, 1))
    assert layout.counted([1, 2]).tolist() == [[1, 1, 1, 2, 1, 1, 1]] * 2


def test_pixels_beside_an_empty_one_are_empty():
    tile = linear_tile((4, 4), 1, 1)
    tile[1, 1] = np.nan
    shown = resampled(tile, Layout({1: (0.5, 0.0)}, (4, 4), (1, 1)).placement(1))
    assert np.isnan(shown[1]).tolist() == [True, True, False]


def test_neighbours_of_a_full_grid_are_counted_right():
    grid = {y * 4 + x: (x, y) for x in range(4) for y in range(3)}
    pairs = neighbours(grid)
    assert sum(along == "x" for *_, along in pairs) == 3 * 3
    assert sum(along == "y" for *_, along in pairs) == 4 * 2
