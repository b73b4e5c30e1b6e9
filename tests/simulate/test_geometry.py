import numpy as np
import pytest

from octflow.simulate.geometry import (
    canvas_size,
    focus_pattern,
    nominal_positions,
    tile_positions,
    to_sample,
    view_affine,
)
from octflow.simulate.presets import preset

DEMO = preset("demo")


@pytest.mark.parametrize("mosaic", [1, 2])
def test_smallest_coordinates_are_zero(mosaic):
    positions = np.array(list(tile_positions(DEMO, mosaic).values()))
    np.testing.assert_allclose(positions.min(axis=0), 0, atol=1e-9)


def test_tiles_repeat_their_positions_on_the_next_slice():
    assert tile_positions(DEMO, 1) == tile_positions(DEMO, 3)


def test_illuminations_have_different_jitter():
    square = DEMO.model_copy(update={"skew_deg": 0})
    for mosaic in (1, 2):
        nominal = nominal_positions(square, mosaic)
        found = tile_positions(square, mosaic)
        spread = np.ptp([np.subtract(found[t], nominal[t]) for t in nominal], axis=0)
        assert (spread > 0.5).all()
        assert (spread <= 2 * square.jitter_px).all()


def test_drift_differs_from_slice_to_slice():
    drifting = DEMO.model_copy(update={"stage_drift_px": 0.2})
    first, second = tile_positions(drifting, 1), tile_positions(drifting, 3)
    moved = np.array([np.subtract(second[t], first[t]) for t in first])
    assert 0.1 < moved.std() < 0.3


def test_scan_starts_at_the_largest_y_of_the_first_column_and_snakes():
    positions = tile_positions(DEMO, 1)
    y = [positions[t][1] for t in range(1, 7)]
    assert y[0] > y[1] > y[2]
    assert y[3] < y[4] < y[5]
    assert positions[4][0] > positions[3][0] + 40


def test_lattice_is_turned_by_the_skew():
    still = DEMO.model_copy(update={"jitter_px": 0, "skew_deg": 2})
    positions = tile_positions(still, 1)
    step = np.subtract(positions[6], positions[1])
    assert np.rad2deg(np.arctan2(step[1], step[0])) == pytest.approx(2)
    assert np.hypot(*step) == pytest.approx(64 * 0.72)


def test_canvas_holds_every_tile():
    n_y, n_x = canvas_size(DEMO, 2)
    for x, y in tile_positions(DEMO, 2).values():
        assert x + 48 <= n_x
        assert y + 64 <= n_y


def test_first_view_is_the_frame_of_the_sample():
    np.testing.assert_array_equal(view_affine(DEMO, 3), [[1, 0, 0], [0, 1, 0]])


def test_tilted_view_is_foreshortened_along_x_and_turned():
    linear = view_affine(DEMO, 2)[:, :2]
    lengths = np.hypot(*linear)
    np.testing.assert_allclose(lengths, [np.cos(np.deg2rad(15)), 1])
    assert np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0])) == pytest.approx(0.5)


def test_mapping_to_the_sample_undoes_the_view():
    affine = view_affine(DEMO, 2)
    x, y = np.array([3.0, 70.5]), np.array([-2.0, 44.0])
    seen = affine @ np.stack([x, y, np.ones(2)])
    np.testing.assert_allclose(to_sample(affine, *seen), [x, y])


@pytest.mark.parametrize("index", [0, 1])
def test_focus_pattern_is_a_polynomial_of_degree_two_with_minimum_zero(index):
    pattern = focus_pattern(DEMO.experiment.illuminations[index], index, 1.0)
    assert pattern.min() == 0
    assert 8 < pattern.max() < 25
    for axis in (0, 1):
        np.testing.assert_allclose(np.diff(pattern.astype(float), 3, axis=axis), 0, atol=1e-5)
