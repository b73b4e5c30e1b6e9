import numpy as np
import pytest

from octflow.core.errors import EstimateError
from octflow.simulate.slice_maps import affine_of, two_maps
from octflow.stages.register.align import align, foreshortening, guess, shape_of


def error_px(found, truth, shape):
    y, x = np.indices(shape)
    gap = np.tensordot(found - truth, np.stack([x, y, np.ones(shape)]), axes=1)
    return np.sqrt(np.mean(np.sum(gap**2, axis=0)))


def start_of(fixed, moving, tilt_deg):
    return guess(np.isfinite(fixed), np.isfinite(moving), foreshortening(tilt_deg))


CASES = [
    pytest.param(-15, {"shift": (4.0, -3.0)}, id="shift"),
    pytest.param(-15, {"rotation_deg": 2, "shift": (-12.5, 16.25)}, id="rotation"),
    pytest.param(10, {"rotation_deg": -1, "shear": 0.03, "shift": (30.0, 2.5)}, id="shear"),
]


@pytest.mark.parametrize(("tilt_deg", "way"), CASES)
def test_the_affine_is_found_to_a_fifth_of_a_pixel(fields, tilt_deg, way):
    scene, truth = fields.scene(), fields.affine(tilt_deg, **way)
    fixed = scene + np.random.default_rng(9).normal(scale=0.5, size=scene.shape)
    # Another contrast: mutual information does not mind.
    moving = 80 - 0.4 * fields.moved(scene, truth, (150, 164))
    found = align(fixed, moving, start_of(fixed, moving, tilt_deg))
    assert error_px(found.matrix, truth, scene.shape) < 0.2
    assert found.mutual_information > found.start_mutual_information


@pytest.mark.parametrize("seed", range(4))
def test_views_of_fibres_20_db_above_noise_are_registered_to_half_a_pixel(seed):
    tilt_deg = (-15, 15)[seed % 2]
    shift = {"rotation_deg": 2, "shear": 0.03, "scale": 1.03, "shift_px": (30, -30)}
    truth = affine_of(tilt_deg, **shift, centre_px=(300, 200))
    maps = two_maps((400, 600), truth, tilt_deg=tilt_deg, snr_db=20, seed=seed)
    start = start_of(maps.fixed, maps.moving, tilt_deg)
    assert maps.error_px(start) > 5
    assert maps.error_px(align(maps.fixed, maps.moving, start).matrix) <= 0.5


def test_rotation_is_told_from_foreshortening(fields):
    shape = shape_of(fields.affine(-15, rotation_deg=2), foreshortening(-15))
    assert shape.rotation_deg == pytest.approx(2)
    assert shape.stretch_fraction == pytest.approx(0, abs=1e-12)
    assert shape.determinant == pytest.approx(1)


def test_the_same_maps_give_the_same_bits(fields):
    scene = fields.scene()
    moving = fields.moved(scene, fields.affine(-15, shift=(3, 1)), (150, 164))
    start = start_of(scene, moving, -15)
    one, other = (align(scene, moving, start) for _ in range(2))
    np.testing.assert_array_equal(one.matrix, other.matrix)


def test_holes_do_not_pull(fields):
    scene, truth = fields.scene(), fields.affine(-15, shift=(4, -3))
    moving = fields.moved(scene, truth, (150, 164))
    fixed = scene.copy()
    fixed[60:90, 50:80] = np.nan
    found = align(fixed, moving, start_of(fixed, moving, -15))
    assert error_px(found.matrix, truth, scene.shape) < 0.3


def test_large_maps_are_compared_at_lower_resolution(fields):
    scene, truth = fields.scene(), fields.affine(-15, shift=(4, -3))
    moving = fields.moved(scene, truth, (150, 164))
    found = align(scene, moving, start_of(scene, moving, -15), largest_level_px=5000)
    assert error_px(found.matrix, truth, scene.shape) < 0.7


def test_maps_that_do_not_overlap_are_refused(fields):
    far = np.array([[1.0, 0, 1000], [0, 1, 1000]])
    with pytest.raises(EstimateError, match="registration"):
        align(fields.scene(), fields.scene(), far)


def test_an_empty_map_is_refused(fields):
    with pytest.raises(EstimateError, match="without any value"):
        align(fields.scene(), np.full((50, 50), np.nan), np.eye(2, 3))
