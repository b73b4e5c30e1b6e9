import numpy as np
import pytest

from octflow.core.errors import EstimateError
from octflow.stages.register.oblique import (
    Beams,
    coarser,
    fitted_depths,
    steepest_rise_px,
    voxel_affine,
)

XY_UM, Z_UM = 10.0, 2.5


def seen(points_um, tilt_deg, turn_deg=0.0):
    """Voxel (x, y, z) at which a view shows points (x, y, z) of the sample, z from the surface.

    The view is turned rigidly about y; depth counts along the beam from where it meets z = 0.
    """
    g = np.deg2rad(tilt_deg)
    right, beam = np.array([np.cos(g), 0, -np.sin(g)]), np.array([np.sin(g), 0, np.cos(g)])
    across, along = right @ points_um, beam @ points_um
    surface = across * np.tan(g)
    t = np.deg2rad(turn_deg)
    x, y = across / XY_UM, points_um[1] / XY_UM
    turned = (np.cos(t) * x - np.sin(t) * y, np.sin(t) * x + np.cos(t) * y)
    return np.stack([*turned, (along - surface) / Z_UM])


def affine_at(depth_um, fixed_deg, moving_deg, turn_deg):
    """The affine of maps that show points of one depth, from how both views see three of them."""
    points = np.array([[0.0, 1000, 0], [0, 0, 1000], [depth_um] * 3])
    one, other = seen(points, fixed_deg), seen(points, moving_deg, turn_deg)
    return np.linalg.solve(np.vstack([one[:2], np.ones(3)]).T, other[:2].T).T


@pytest.mark.parametrize("depth_um", [0.0, 100.0])
@pytest.mark.parametrize(("fixed_deg", "moving_deg"), [(0, -15), (0, 20), (10, -15)])
def test_points_of_the_sample_lie_where_a_turned_view_shows_them(depth_um, fixed_deg, moving_deg):
    points = np.random.default_rng(0).uniform(0, 1500, (3, 50))
    beams = Beams(
        fixed_tilt_deg=fixed_deg,
        moving_tilt_deg=moving_deg,
        samples_per_px=Z_UM / XY_UM,
        affine_depth_px=depth_um / np.cos(np.deg2rad(fixed_deg)) / Z_UM,
    )
    matrix = voxel_affine(affine_at(depth_um, fixed_deg, moving_deg, 2.0), beams)
    at = np.vstack([seen(points, fixed_deg), np.ones(50)])
    np.testing.assert_allclose(matrix @ at, seen(points, moving_deg, 2.0), atol=1e-9)


def test_without_shear_columns_stay_columns_but_depth_is_path():
    beams = Beams(
        fixed_tilt_deg=0, moving_tilt_deg=60, samples_per_px=1, shear=False, depth_shift_px=3
    )
    matrix = voxel_affine(np.array([[1.0, 0, 5], [0, 1, 6]]), beams)
    np.testing.assert_allclose(matrix @ (2, 3, 4, 1), (7, 9, 11))


def test_the_median_surface_tells_the_shift_whatever_a_few_a_lines_show():
    fixed = np.array([10.0, 12, 14, 16, 18, np.nan, 3])
    moving = 2 * fixed + 7
    moving[[0, 6]] = 400, np.nan
    depths = fitted_depths(fixed, moving, 2.0)
    assert (depths.surface_px, depths.shift_px, depths.residual_px) == (14, 7, 0)


def test_volumes_without_common_tissue_are_refused():
    with pytest.raises(EstimateError, match="found no place that both show"):
        fitted_depths(np.array([np.nan, 1]), np.array([1, np.nan]), 1.0)


def test_the_surface_is_where_intensity_rises():
    z = np.arange(60)[:, None, None]
    step = np.where(z >= np.array([[20, 33]]), 80.0, 50.0).astype(np.float32)
    assert steepest_rise_px(step).tolist() == [[20, 33]]
    step[:, 0, 1] = np.nan
    assert np.isnan(steepest_rise_px(step)[0, 1])
    assert np.isnan(steepest_rise_px(step[:8])).all()


def test_a_coarse_level_is_mapped_as_its_fine_voxels_are():
    matrix = np.array([[1.1, 0.2, 0.3, 4], [-0.1, 0.9, 0, 5], [0, 0, 1.2, 6]])
    # The centre of a coarse voxel is the mean of the centres of its fine ones.
    coarse, fine = np.array([3.0, 2, 1]), np.indices((4, 4, 4)).reshape(3, -1)
    inside = 4 * coarse[:, None] + fine
    mapped = (matrix[:, :3] @ inside + matrix[:, 3:]).mean(axis=1)
    np.testing.assert_allclose(coarser(matrix, 4) @ [*coarse, 1], (mapped - 1.5) / 4)
