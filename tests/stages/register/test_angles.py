import numpy as np
import pytest

from octflow.stages.register.angles import (
    azimuth_and_inclination,
    brightness,
    component_rgb,
    hue_rgb,
    polar_angle,
    polar_angle_from_azimuths,
)


def test_azimuth_and_inclination_do_not_depend_on_the_sign_of_the_axis(fields):
    axis, _ = fields.random_fibres(1000)
    one, other = azimuth_and_inclination(axis), azimuth_and_inclination(-axis)
    np.testing.assert_array_equal(one, other)


def test_angles_give_the_axis_back(fields):
    axis, _ = fields.random_fibres(1000)
    phi, alpha = azimuth_and_inclination(axis)
    back = np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
    assert np.linalg.norm(np.cross(back, axis, axis=0), axis=0).max() < 1e-12
    assert phi.min() > -np.pi / 2
    assert phi.max() <= np.pi / 2


def test_polar_angle_is_the_wrapped_arc_cosine_of_the_depth_component(fields):
    axis, _ = fields.random_fibres(1000)
    axis = np.where(axis[0] < 0, -axis, axis)
    polar = np.arccos(axis[2])
    expected = np.where(polar > np.pi / 2, polar - np.pi, polar)
    found = polar_angle(azimuth_and_inclination(axis)[1])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_azimuths_alone_tell_the_polar_angle(fields):
    axis, dn = fields.random_fibres(1000)
    phi_n, phi_x = (fields.seen_under(axis, dn, g)[1] for g in (0, -15))
    psi = polar_angle_from_azimuths(phi_n, phi_x, -15)
    np.testing.assert_allclose(psi, polar_angle(azimuth_and_inclination(axis)[1]), atol=1e-6)


def test_azimuths_along_x_tell_nothing():
    assert np.isnan(polar_angle_from_azimuths(np.zeros(1), np.zeros(1), -15)).all()


@pytest.mark.parametrize(("axis_deg", "rgb"), [(-90, (255, 0, 0)), (0, (0, 255, 255))])
def test_hue_turns_once_per_half_turn(axis_deg, rgb):
    assert tuple(hue_rgb(np.array([[axis_deg * 1.0]]), np.ones((1, 1)))[0, 0]) == rgb


def test_colours_of_nothing_are_black():
    nothing = np.array([[np.nan]])
    assert not hue_rgb(nothing, brightness(nothing, (0, 1))).any()
    assert not component_rgb(np.zeros((3, 1, 1)), brightness(nothing, (0, 1))).any()
