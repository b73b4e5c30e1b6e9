import numpy as np
import pytest

from octflow.core.mosaic import neighbours
from octflow.stages.volume.focus import find_focus_plane, terms
from octflow.stages.volume.surfaces import Surfaces


def surfaces_of(phantom, noise_px=0.0, wrong_fraction=0.0, seed=0):
    """Surfaces as tiles show them, rounded to samples, some of them plainly wrong."""
    rng = np.random.default_rng(seed)
    surfaces = {}
    for tile in phantom.grid:
        surface = phantom.surface_of(phantom.layout, tile)
        surface = np.rint(surface + rng.normal(0, noise_px, surface.shape))
        wrong = rng.uniform(size=surface.shape) < wrong_fraction
        surface = np.where(wrong, rng.uniform(0, 900, surface.shape), surface)
        surfaces[tile] = np.stack([surface, np.full_like(surface, 70)])
    return dict(Surfaces(surfaces, threshold_db=60))


def pairs_of(grid):
    return [pair[:2] for pair in neighbours(grid)]


def error_px(focus, phantom):
    truth = phantom.pattern(phantom.layout.tile_shape[0])
    return focus.pattern_px - truth


@pytest.mark.parametrize(
    ("noise_px", "wrong_fraction"), [(0, 0), (2, 0), (2, 0.15)], ids=["clean", "noise", "wrong"]
)
def test_pattern_is_found_on_an_uneven_surface(large_phantom, noise_px, wrong_fraction):
    surfaces = surfaces_of(large_phantom, noise_px, wrong_fraction)
    focus = find_focus_plane(large_phantom.layout, surfaces, pairs_of(large_phantom.grid))
    assert np.sqrt(np.mean(error_px(focus, large_phantom) ** 2)) < 0.1
    assert focus.pattern_px.min() == 0
    assert focus.pattern_px.dtype == np.float32


def test_differences_shrink_to_their_noise(large_phantom):
    surfaces = surfaces_of(large_phantom, 1.0)
    focus = find_focus_plane(large_phantom.layout, surfaces, pairs_of(large_phantom.grid))
    assert np.std(focus.before_px) > 1.5
    assert np.std(focus.after_px[focus.kept]) < 0.5


def test_ignored_pixels_do_not_count(large_phantom):
    surfaces = surfaces_of(large_phantom)
    for surface in surfaces.values():
        surface[:, :12] += 300
        surface[:, :12] = np.nan
    focus = find_focus_plane(large_phantom.layout, surfaces, pairs_of(large_phantom.grid))
    assert np.sqrt(np.mean(error_px(focus, large_phantom) ** 2)) < 0.1


def test_one_grid_column_leaves_the_slope_along_x_open_and_takes_it_as_flat(large_phantom):
    column = {t: place for t, place in large_phantom.grid.items() if place[0] == 0}
    surfaces = surfaces_of(large_phantom)
    focus = find_focus_plane(large_phantom.layout, surfaces, pairs_of(column))
    error = error_px(focus, large_phantom)
    # What is left open does not depend on y.
    assert np.std(error - error.mean(axis=0), axis=0).max() < 0.5


def test_no_overlap_gives_a_flat_pattern(phantom):
    focus = find_focus_plane(phantom.layout, {}, [])
    assert focus.pattern_px.shape == phantom.layout.tile_shape
    assert not focus.pattern_px.any()


def test_terms_are_scaled_to_the_ends_of_the_tile():
    corners = terms([0, 8], [0, 4], (9, 5))
    np.testing.assert_array_equal(corners, [[-1, -1, 1, 1, 1], [1, 1, 1, 1, 1]])
