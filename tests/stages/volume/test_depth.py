import numpy as np

from octflow.stages.volume.depth import shallowest_px, top_px


def test_shallowest_surface_is_not_that_of_a_few_bad_estimates():
    surfaces = np.linspace(120, 200, 1000)
    surfaces[:10] = 3
    surfaces[10] = np.nan
    assert 119 <= shallowest_px(surfaces) <= 122


def test_without_tissue_nothing_is_cut_off():
    assert shallowest_px(np.array([np.nan])) == 0


def test_surface_at_the_base_comes_to_lie_at_the_offset():
    pattern = np.array([[0.0, 1.5], [3.0, 2.0]])
    depth_in_tile = 100 + pattern
    top = top_px(pattern, base_px=100, offset_px=30)
    np.testing.assert_allclose(depth_in_tile - top, 30)
