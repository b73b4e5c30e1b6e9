import colorsys

import numpy as np
import pytest

from octflow.stages.register.keys import azimuth_key, component_key, inclination_key, with_key

N = 201
CENTRE, RIM = 100, 90


def at(key, angle_deg, radius=RIM):
    """The colour in a direction that counts from right towards down."""
    t = np.deg2rad(angle_deg)
    return key[round(CENTRE + radius * np.sin(t)), round(CENTRE + radius * np.cos(t))].astype(int)


def hue(axis_deg):
    return 255 * np.array(colorsys.hsv_to_rgb((axis_deg + 90) / 180, 1, 1))


@pytest.mark.parametrize("azimuth_deg", [-80, -45, -10, 0, 30, 60, 85])
def test_lines_through_the_disc_have_the_colour_of_their_azimuth(azimuth_deg):
    for end in (0, 180):
        found = at(azimuth_key(N), azimuth_deg + end)
        np.testing.assert_allclose(found, hue(azimuth_deg), atol=6)


@pytest.mark.parametrize("inclination_deg", [-80, -45, 0, 30, 85])
def test_rays_of_the_half_disc_have_the_colour_of_their_inclination(inclination_deg):
    key = inclination_key(N)
    np.testing.assert_allclose(at(key, inclination_deg), hue(inclination_deg), atol=6)
    assert not at(key, 180 + inclination_deg).any()


@pytest.mark.parametrize("inclination_deg", [10, 30, 60, 90])
@pytest.mark.parametrize("azimuth_deg", [0, 45, 90, 200])
def test_a_hemisphere_shows_every_axis_where_it_pierces_it(azimuth_deg, inclination_deg):
    phi, alpha = np.deg2rad([azimuth_deg, inclination_deg])
    axis = np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
    found = at(component_key(N), azimuth_deg, CENTRE * np.cos(alpha))
    np.testing.assert_allclose(found, 255 * np.abs(axis), atol=15)


@pytest.mark.parametrize("key", [azimuth_key, inclination_key, component_key])
def test_outside_of_the_disc_it_is_black(key):
    drawn = key(N)
    assert not drawn[0, 0].any()
    assert not drawn[-1, -1].any()


def test_a_key_stands_beside_the_picture():
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    both = with_key(picture, azimuth_key(25))
    assert both.shape == (60, 105, 3)
    np.testing.assert_array_equal(both[:, :80], picture)
    np.testing.assert_array_equal(both[35:, 80:], azimuth_key(25))
    assert not both[:35, 80:].any()
