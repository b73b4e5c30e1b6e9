from pathlib import Path

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.io.nifti import read_nifti
from octflow.simulate.fibre_maps import fibre_maps, write_measured
from octflow.simulate.slice_maps import affine_of

SHAPE = (160, 240)
TILT_DEG = -15


def clean(matrix, seed=1):
    return fibre_maps(SHAPE, matrix, tilt_deg=TILT_DEG, snr_db=120, seed=seed)


def seen_under(maps, tilt_deg):
    """Apparent birefringence and azimuth from the angle to the beam and the view's own axes."""
    g = np.deg2rad(tilt_deg)
    along = np.sin(g) * maps.axis[0] + np.cos(g) * maps.axis[2]
    across = np.cos(g) * maps.axis[0] - np.sin(g) * maps.axis[2]
    return maps.birefringence * (1 - along**2), np.rad2deg(np.arctan(maps.axis[1] / across))


def test_the_straight_view_sees_the_true_azimuth_foreshortened_by_inclination():
    maps = clean(np.eye(2, 3))
    inside = maps.fixed.tissue
    apparent, azimuth = seen_under(maps, 0)
    np.testing.assert_allclose(maps.fixed.birefringence[inside], apparent[inside], atol=1e-8)
    assert np.abs(axis_difference(maps.fixed.axis_deg, azimuth))[inside].max() < 0.2


def test_the_tilted_view_sees_its_projection():
    maps = clean(np.eye(2, 3))
    inside = maps.moving.tissue
    apparent, azimuth = seen_under(maps, TILT_DEG)
    np.testing.assert_allclose(maps.moving.birefringence[inside], apparent[inside], atol=1e-8)
    assert np.abs(axis_difference(maps.moving.axis_deg, azimuth))[inside].max() < 0.2


@pytest.mark.parametrize("turn_deg", [-3, 10])
def test_azimuths_turn_with_the_tilted_view(turn_deg):
    centre = SHAPE[1] / 2, SHAPE[0] / 2
    maps = clean(affine_of(TILT_DEG, rotation_deg=turn_deg, centre_px=centre))
    x, y = (round(c) for c in centre)
    at = round(float(np.cos(np.deg2rad(TILT_DEG)) * centre[0]))
    azimuth = seen_under(maps, TILT_DEG)[1][y, x]
    assert axis_difference(maps.moving.axis_deg[y, at], azimuth) == pytest.approx(turn_deg, abs=0.7)


def test_rims_of_bundles_are_sharp():
    steps = np.diff(clean(np.eye(2, 3)).birefringence, axis=1)
    assert np.unique(np.round(np.abs(steps), 7)).size <= 4


def test_noise_of_p_is_what_the_maps_say():
    quiet, loud = (fibre_maps(SHAPE, np.eye(2, 3), tilt_deg=0, snr_db=s, seed=3) for s in (120, 20))
    inside = loud.fixed.tissue
    p = np.sqrt(quiet.fixed.birefringence)
    turned = np.deg2rad(axis_difference(loud.fixed.axis_deg, quiet.fixed.axis_deg))
    across = np.sqrt(loud.fixed.birefringence) * np.sin(turned)
    clear = inside & (p > 5 * loud.noise_root_dn)
    assert np.std(across[clear]) == pytest.approx(loud.noise_root_dn, rel=0.03)
    assert np.mean(loud.birefringence[inside]) == pytest.approx(100 * loud.noise_root_dn**2)


def test_a_found_axis_of_either_sign_has_no_error_and_its_own_inclination():
    maps = clean(np.eye(2, 3))
    assert maps.errors_deg(-maps.axis).max() < 0.1
    found, true = maps.inclinations_deg(-maps.axis)
    np.testing.assert_allclose(found, true)
    forwards = np.where(maps.axis[0] < 0, -1, 1)
    np.testing.assert_allclose(true, np.rad2deg(np.arcsin(forwards * maps.axis[2])), atol=1e-4)


def test_files_hold_the_axis_as_the_instrument_counts_it(tmp_path):
    maps = clean(np.eye(2, 3))
    files = {p.role: read_nifti(Path(p.path)) for p in write_measured(tmp_path, "m1", maps.fixed)}
    inside = maps.fixed.tissue
    gap = axis_difference(files["ori"][inside], -maps.fixed.axis_deg[inside])
    np.testing.assert_allclose(gap, 0, atol=1e-4)
    np.testing.assert_array_equal(np.isfinite(files["biref"]), inside)
    np.testing.assert_array_equal(files["mask"], inside)
