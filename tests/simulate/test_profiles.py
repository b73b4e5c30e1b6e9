import numpy as np
import pytest

from octflow.simulate.profiles import VESSEL_DB, Column, jones_profiles, roll_off


def profile_of(*, attenuation_per_mm=0.0, birefringence=0.0, axis_deg=0.0, dark=0):
    values = (50.0, 80.0, attenuation_per_mm, birefringence, axis_deg)
    speckle = np.ones((1, 1, 200), np.complex64)
    profiles = jones_profiles(
        speckle,
        np.full(speckle.shape, dark, np.uint8),
        Column(*(np.full((1, 1), v) for v in values)),
        wavelength_um=1.3,
        voxel_z_um=2.5,
        axis_offset_deg=100,
    )
    return profiles[0, :, 0]


def intensity_db(profile):
    loss = roll_off(50.0 + 24 + np.arange(200))
    return 10 * np.log10((np.abs(profile) ** 2).sum(axis=0) / loss**2)


def test_intensity_starts_at_the_surface_level_and_decays_twice_through_the_tissue():
    level = intensity_db(profile_of(attenuation_per_mm=4))
    expected = 80 - 10 * np.log10(np.e) * 2 * 4 * 0.0025 * np.arange(200)
    np.testing.assert_allclose(level, expected, atol=1e-3)


def test_birefringence_moves_light_between_the_channels_but_loses_none():
    plain, birefringent = profile_of(), profile_of(birefringence=1e-3)
    np.testing.assert_allclose(intensity_db(birefringent), intensity_db(plain), atol=1e-3)


def test_retardance_grows_in_proportion_to_depth():
    j1, j2 = profile_of(birefringence=1e-4)
    retardance = np.rad2deg(np.arctan2(np.abs(j1), np.abs(j2)))
    np.testing.assert_allclose(retardance, 360 * 1e-4 * 2.5 / 1.3 * np.arange(200), atol=1e-3)


@pytest.mark.parametrize("axis_deg", [-70.0, 0.0, 25.0, 90.0])
def test_phase_difference_is_twice_the_axis_less_the_offset(axis_deg):
    j1, j2 = profile_of(birefringence=1e-4, axis_deg=axis_deg)[:, 1:]
    turn = j1 * np.conj(j2) * np.exp(-2j * np.deg2rad(axis_deg - 100))
    np.testing.assert_allclose(np.angle(turn), 0, atol=1e-5)


def test_vessels_are_dark():
    difference = intensity_db(profile_of(dark=1)) - intensity_db(profile_of())
    np.testing.assert_allclose(difference, VESSEL_DB, atol=1e-3)
