import numpy as np
import pytest

from octflow.core.mosaic import Layout
from octflow.stages.stitch.blend import blend_halves
from octflow.stages.stitch.seams import checkerboard, find_seams, seam_difference, seam_rms

GRID = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (0, 1), 5: (1, 1), 6: (2, 1)}
LAYOUT = Layout({t: (30.0 * x, 28.0 * y) for t, (x, y) in GRID.items()}, (40, 40), (12, 10))


def seams_of(tiles, axial=False, judged=None):
    blended = blend_halves(LAYOUT, tiles, GRID, axial=axial)
    two = LAYOUT.counted(tiles) == 2
    return find_seams(LAYOUT, GRID, blended, two if judged is None else judged & two, axial=axial)


def noisy(offsets=(), sigma=1.0):
    rng = np.random.default_rng(0)
    tiles = {t: 60 + rng.normal(0, sigma, (40, 40)).astype(np.float32) for t in GRID}
    return {t: tile + np.float32(dict(offsets).get(t, 0)) for t, tile in tiles.items()}


def test_noise_of_equal_tiles_is_the_noise_of_every_seam():
    seams = seams_of(noisy())
    assert len(seams) == 7
    assert seam_rms(seams) == pytest.approx(np.sqrt(2), rel=0.05)
    assert 0.85 < seams[-1].ratio <= seams[0].ratio < 1.15


def test_the_pair_that_disagrees_most_comes_first():
    seams = seams_of(noisy({3: 5.0, 6: 5.0}))
    assert {(s.first, s.second) for s in seams[:2]} == {(2, 3), (5, 6)}
    assert seams[0].rms == pytest.approx(np.sqrt(2 + 25), rel=0.05)
    assert seams[0].ratio == pytest.approx(seams[0].rms / seams[3].rms)


def test_pixels_of_a_seam_are_those_of_two_tiles_alone():
    seams = {(s.first, s.second): s for s in seams_of(noisy())}
    assert seams[1, 2].n_px == 10 * 28
    assert seams[2, 5].n_px == 12 * 20


def test_axes_of_a_seam_are_compared_across_the_wrap():
    tiles = {t: np.full((40, 40), 88 if t % 2 else -88, np.float32) for t in GRID}
    assert seam_rms(seams_of(tiles, axial=True)) == pytest.approx(4, rel=1e-3)


def test_seams_outside_the_tissue_or_beside_a_hole_are_not_judged():
    left = np.zeros(LAYOUT.shape, bool)
    left[:, :40] = True
    assert {(s.first, s.second) for s in seams_of(noisy(), judged=left)} == {(1, 2), (1, 4), (4, 5)}
    holed = {t: tile for t, tile in noisy().items() if t != 5}
    assert {(s.first, s.second) for s in seams_of(holed)} == {(1, 2), (2, 3), (1, 4), (3, 6)}


def test_without_seams_there_is_no_number():
    assert seams_of({}) == []
    assert seam_rms([]) is None


def test_difference_in_overlaps_is_axial_for_axes():
    even, odd = np.array([[80, np.nan]], np.float32), np.array([[-80, 5]], np.float32)
    assert seam_difference(even, odd, axial=True)[0, 0] == pytest.approx(-20)
    assert np.isnan(seam_difference(even, odd)[0, 1])


def test_checkerboard_alternates_where_both_have_values():
    even, odd = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    even[0, 0] = odd[0, 3] = np.nan
    assert checkerboard(even, odd, square_px=1).tolist() == [[1, 1, 0, 0]]
