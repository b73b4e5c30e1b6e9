"""The surface against the rule written out and on known edges."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from octflow.simulate.uniform import uniform_jones
from octflow.stages.process.contrast import contrasts
from octflow.stages.process.surface import (
    _rise_taps,
    find_refined_surface,
    find_surface,
    find_surface_from_threshold,
    smooth_surface,
)


def rule(line):
    """The rule for one A-line, step by step."""
    smooth = gaussian_filter1d(line.astype(float), sigma=5, truncate=2, mode="nearest")
    rises = [smooth[j + 5 : j + 10].mean() - smooth[j : j + 5].mean() for j in range(line.size - 9)]
    return 5 + int(np.argmax(rises)), max(rises)


def edge(depth_px, n_z=200, before=42.0, after=70.0):
    z = np.arange(n_z)[:, None, None]
    return np.where(z < depth_px, before, after).astype(np.float32)


def test_the_surface_is_what_the_rule_says():
    volume = np.random.default_rng(0).normal(60, 6, size=(150, 4, 5)).astype(np.float32)
    found = find_surface(volume)
    for y, x in np.ndindex(4, 5):
        index_px, step_db = rule(volume[:, y, x])
        assert found.index_px[y, x] == index_px
        assert found.step_db[y, x] == pytest.approx(step_db, abs=1e-4)


@pytest.mark.parametrize("depth_px", [15, 100, 185])
def test_an_edge_is_found_where_it_is(depth_px):
    assert find_surface(edge(depth_px)).index_px.item() == depth_px


def test_each_a_line_has_its_own_surface():
    depth_px = np.arange(20, 80).reshape(6, 10)
    assert (find_surface(edge(depth_px)).index_px == depth_px).all()


def test_a_noisy_edge_is_found_within_two_samples():
    noise = np.random.default_rng(1).normal(0, 5, size=(300, 20, 20))
    found = find_surface((edge(120, n_z=300) + noise).astype(np.float32))
    assert np.median(np.abs(found.index_px - 120)) <= 2
    assert found.step_db.min() > 3


def test_the_gaussian_has_the_golden_centre():
    distance = np.arange(-10, 11)
    gaussian = np.exp(-(distance**2) / 50)
    assert gaussian[10] / gaussian.sum() == pytest.approx(0.0827185, abs=1e-7)
    step = np.repeat([0.0, 1.0], 30)
    assert np.convolve(step, _rise_taps()[::-1], "valid").max() == pytest.approx(rule(step)[1])


def test_of_equal_rises_the_first_is_taken():
    flat = np.full((60, 1, 1), 50, np.float32)
    assert find_surface(flat).index_px.item() == 5


def test_a_dip_is_no_surface():
    falling = edge(60, before=70, after=40)
    falling[150:] = 55
    assert find_surface(falling).index_px.item() == 150


def test_inside_tissue_the_threshold_rules():
    bright = edge(120, before=58, after=70)
    bright[:3] = 54
    assert find_surface_from_threshold(bright, 55).index_px.item() == 3
    assert find_surface(bright).index_px.item() == 120


def test_outside_tissue_the_threshold_changes_nothing():
    found = find_surface_from_threshold(edge(120), 55)
    assert found.index_px.item() == find_surface(edge(120)).index_px.item() == 120


def test_a_lone_outlier_is_filtered_out():
    surface_px = np.full((5, 6), 100, np.float32)
    surface_px[2, 3] = surface_px[0, 0] = 900
    assert (smooth_surface(surface_px) == 100).all()


@pytest.mark.parametrize("snr_db", [20, 35])
def test_refinement_takes_out_the_bias_of_bright_edges(snr_db):
    jones, start_px = uniform_jones(4e-4, snr_db=snr_db)
    intensity_db = contrasts(jones).intensity_db
    plain = smooth_surface(find_surface(intensity_db).index_px) - start_px
    refined = smooth_surface(find_refined_surface(intensity_db).index_px) - start_px
    assert np.median(plain) < -0.6
    assert abs(np.median(refined)) < 0.25
    assert np.median(np.abs(refined)) < 0.6


def test_refinement_follows_a_slope():
    depth_px = np.add.outer(np.arange(12), 2 * np.arange(15)) + 40
    found = find_refined_surface(edge(depth_px)).index_px
    np.testing.assert_allclose(found[2:-2, 2:-2], depth_px[2:-2, 2:-2], atol=0.6)


@pytest.mark.parametrize("depth_px", [2, 195])
def test_refinement_stays_within_the_volume(depth_px):
    found = find_refined_surface(edge(depth_px)).index_px.item()
    assert 0 <= found < 200
