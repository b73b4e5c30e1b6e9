import numpy as np

from octflow.stages.volume.surfaces import Surfaces, despiked, flattened


def maps():
    surface = np.arange(64.0).reshape(8, 8)
    aip = np.full((8, 8), 70.0)
    aip[5] = 50
    return {3: np.stack([surface, aip]).astype(np.float32)}


def test_background_and_first_a_lines_have_no_surface():
    surface = Surfaces(maps(), threshold_db=60, skip_x_px=2)[3]
    assert np.isnan(surface[:, :2]).all()
    assert np.isnan(surface[5]).all()
    assert surface[4, 7] == 39


def test_flattened_surfaces_are_collected_without_background():
    pattern = np.ones((8, 8))
    values = flattened(Surfaces(maps(), threshold_db=60), pattern)
    np.testing.assert_array_equal(values, [-1, 3, 31, 35])


def test_single_wrong_estimates_are_replaced_and_others_left():
    rng = np.random.default_rng(0)
    true = np.rint(100 + rng.normal(0, 1, (40, 40)))
    wrong = rng.uniform(size=true.shape) < 0.05
    found = despiked(np.where(wrong, 700, true))
    assert np.abs(found - true).max() < 8
    assert np.mean(found[~wrong] == true[~wrong]) > 0.98
