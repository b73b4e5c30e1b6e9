import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.stages.register.warp import smooth_dyad, warp_axis, warp_scalar

SHAPE = (60, 70)


def everywhere(value):
    return np.full(SHAPE, value, np.float32)


def test_a_plane_is_sampled_exactly(fields):
    matrix = fields.affine(-15, rotation_deg=3, shear=0.02, shift=(4.2, -3.3))
    y, x = np.indices((90, 90), dtype=np.float32)
    moving = 2 * x - 3 * y + 7
    warped, valid = warp_scalar(moving, np.ones_like(moving, bool), matrix, SHAPE)
    y, x = np.indices(SHAPE)
    u, v = np.tensordot(matrix, np.stack([x, y, np.ones(SHAPE)]), axes=1)
    np.testing.assert_allclose(warped[valid], (2 * u - 3 * v + 7)[valid], atol=2e-3)


def test_what_lies_outside_or_is_not_valid_is_not_used():
    moving, valid = everywhere(5), np.ones(SHAPE, bool)
    moving[20:30, 20:30], valid[20:30, 20:30] = np.nan, False
    shift = np.array([[1, 0, 10.4], [0, 1, 0]])
    warped, seen = warp_scalar(moving, valid, shift, SHAPE)
    assert not seen[:, 60:].any()
    assert not seen[21:29, 11:19].any()
    np.testing.assert_allclose(warped[seen], 5)
    assert not warped[~seen].any()


@pytest.mark.parametrize("rotation_deg", [10, -25])
def test_axes_turn_with_a_fibre_field_that_is_turned(fields, rotation_deg):
    """A fibre is drawn as a bright line; its direction in the warped picture is measured."""
    matrix = fields.affine(0, rotation_deg)
    centre = np.array([35, 30])
    matrix[:, 2] = centre - matrix[:, :2] @ centre
    y, x = np.indices(SHAPE)
    moving_deg = 40.0
    t = np.deg2rad(moving_deg)
    distance = -np.sin(t) * (x - centre[0]) + np.cos(t) * (y - centre[1])
    line = np.exp(-(distance**2) / 8).astype(np.float32)
    ones = np.ones(SHAPE, bool)
    drawn, _ = warp_scalar(line, ones, matrix, SHAPE)
    axis, _ = warp_axis(
        everywhere(moving_deg), everywhere(1), ones, matrix, SHAPE, rotation_deg=rotation_deg
    )
    near = drawn * (np.hypot(x - centre[0], y - centre[1]) < 20)
    dx, dy = x - centre[0], y - centre[1]
    xx, yy, xy = (np.sum(near * product) for product in (dx * dx, dy * dy, dx * dy))
    seen_deg = np.rad2deg(np.arctan2(2 * xy, xx - yy)) / 2
    assert abs(axis_difference(axis[30, 35], seen_deg)) < 0.5


def test_foreshortening_leaves_axes_as_they_are(fields):
    ones = np.ones(SHAPE, bool)
    axis, valid = warp_axis(
        everywhere(33), everywhere(1), ones, fields.affine(-40), SHAPE, rotation_deg=0
    )
    np.testing.assert_allclose(axis[valid], 33, atol=1e-4)


def test_axes_on_both_sides_of_ninety_degrees_meet_there():
    axis = everywhere(89)
    axis[:, 1::2] = -89
    half = np.array([[1, 0, 0.5], [0, 1, 0]])
    warped, valid = warp_axis(
        axis, everywhere(1), np.ones(SHAPE, bool), half, SHAPE, rotation_deg=0
    )
    assert np.abs(axis_difference(warped[valid], 90)).max() < 1e-3


def test_smoothing_averages_axes_by_birefringence():
    dn, axis = everywhere(1), everywhere(80)
    dn[:, ::2], axis[:, ::2] = 3, -80
    _, smooth = smooth_dyad(dn, axis, np.ones(SHAPE, bool), sigma_px=4)
    t = np.deg2rad(160)
    expected = np.rad2deg(np.arctan2(np.sin(t) - 3 * np.sin(t), 4 * np.cos(t))) / 2
    assert abs(axis_difference(smooth[30, 35], expected)) < 0.01


def test_smoothing_does_not_darken_the_rim():
    dn, valid = everywhere(2), np.zeros(SHAPE, bool)
    valid[10:50, 10:60] = True
    smooth, _ = smooth_dyad(np.where(valid, dn, np.nan), dn, valid, sigma_px=3)
    np.testing.assert_allclose(smooth[valid], 2, rtol=1e-5)
    assert not smooth[~valid].any()


def test_noise_of_birefringence_averages_out_without_bias():
    noisy = np.random.default_rng(0).normal(1e-4, 3e-4, SHAPE).astype(np.float32)
    smooth, _ = smooth_dyad(noisy, everywhere(0), np.ones(SHAPE, bool), sigma_px=5)
    assert smooth.mean() == pytest.approx(1e-4, rel=0.2)


def test_no_smoothing_leaves_maps_as_they_are():
    rng = np.random.default_rng(0)
    dn, axis = rng.uniform(0, 1, SHAPE), rng.uniform(-89, 90, SHAPE)
    smooth = smooth_dyad(dn, axis, np.ones(SHAPE, bool), sigma_px=0)
    np.testing.assert_allclose(smooth, (dn, axis), atol=1e-9)
