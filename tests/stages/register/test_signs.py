"""The sign of the inclination, in maps of fibres of every direction."""

import numpy as np
import pytest

from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.fibres import View, fibre_field

AZIMUTHS_DEG = [-89, *range(-85, 86, 5), 89]
AZIMUTH_DEG, INCLINATION_DEG = np.meshgrid(np.array(AZIMUTHS_DEG), np.arange(-85, 86, 5))
# Steep fibres in the plane of the tilt look like another fibre to two views.
TOLD = (AZIMUTH_DEG != 0) | (np.abs(INCLINATION_DEG) <= 70)


# Tilts under which no beam runs along one of the fibres.
@pytest.fixture(scope="module", params=[-14, 14, -10])
def found_deg(fields, request):
    """Azimuth and inclination from two noise-free views in single precision."""
    phi, alpha = np.deg2rad(AZIMUTH_DEG), np.deg2rad(INCLINATION_DEG)
    flat = np.cos(alpha)
    axis = np.stack([flat * np.cos(phi), flat * np.sin(phi), np.sin(alpha)])
    views = []
    for tilt_deg in (0, request.param):
        seen, azimuth = (one.astype(np.float32) for one in fields.seen_under(axis, 8e-4, tilt_deg))
        views.append(View(f"{tilt_deg}", tilt_deg, seen, seen, azimuth, np.ones(seen.shape, bool)))
    return np.rad2deg(azimuth_and_inclination(fibre_field(views, [1.0, 1.0]).axis))


@pytest.mark.parametrize("steep", [False, True])
@pytest.mark.parametrize("beyond_45", [False, True])
def test_every_inclination_has_its_sign(found_deg, steep, beyond_45):
    asked = TOLD & (INCLINATION_DEG != 0)
    asked &= (np.abs(AZIMUTH_DEG) > 45) == beyond_45
    asked &= (np.abs(INCLINATION_DEG) > 75) == steep
    assert asked.sum() > 60
    np.testing.assert_array_equal(np.sign(found_deg[1][asked]), np.sign(INCLINATION_DEG[asked]))


def test_every_inclination_and_azimuth_is_right(found_deg):
    azimuth, inclination = found_deg
    assert np.abs(inclination - INCLINATION_DEG)[TOLD].max() < 0.2
    assert np.abs(np.sin(np.deg2rad(azimuth - AZIMUTH_DEG)))[TOLD].max() < 0.01


def test_steep_fibres_in_the_plane_of_the_tilt_are_those_left_out(found_deg):
    wrong = np.abs(found_deg[1] - INCLINATION_DEG) > 0.2
    assert 0 < wrong.sum() < 5
    assert not wrong[TOLD].any()
