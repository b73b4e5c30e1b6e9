"""Rate and axis of the turning polarisation, below and beyond the folds of retardance."""

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.simulate.uniform import uniform_jones
from octflow.stages.process.contrast import Contrasts, contrasts
from octflow.stages.process.enface import depth_window
from octflow.stages.process.unfolding import fit_rotation

OPTICS = {"wavelength_um": 1.3, "voxel_z_um": 2.5, "max_delta_n": 6e-3}


def fit(volumes, first, last, offset_px=0):
    here = np.ones(volumes.intensity_db.shape[1:], np.int64)
    return fit_rotation(volumes, first * here, last * here, offset_px=offset_px, **OPTICS)


def ideal(delta_n, axis_deg, n_z=80, first=0):
    """Volumes without noise, by the matrix of a linear retarder, first sample at `first`."""
    delta = 2 * np.pi * delta_n * 2.5 * (first + np.arange(n_z)) / 1.3
    chi = np.deg2rad(2 * (axis_deg - 100))
    lines = np.array([np.sin(delta) * np.exp(1j * chi), np.cos(delta)])
    return contrasts((1e3 * lines[:, :, None, None]).astype(np.complex64))


@pytest.mark.parametrize("delta_n", [5e-5, 5e-4, 1e-3, 1.7e-3, 3e-3, 4.5e-3, 5.9e-3])
@pytest.mark.parametrize("axis_deg", [-80.0, 0.0, 25.0, 90.0])
def test_a_retarder_is_found_whatever_folds(delta_n, axis_deg):
    found = fit(ideal(delta_n, axis_deg), 0, 80)
    assert found.delta_n.item() == pytest.approx(delta_n, rel=1e-3)
    assert abs(axis_difference(found.axis_deg.item(), axis_deg)) < 0.1


@pytest.mark.parametrize("first", [20, 60, 150])
def test_a_window_below_the_surface_sees_the_same(first):
    found = fit(ideal(3e-3, 25, first=first), 0, 80, offset_px=first)
    assert found.delta_n.item() == pytest.approx(3e-3, rel=1e-3)
    assert found.axis_deg.item() == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize("delta_n", [1e-3, 2e-3, 3e-3])
def test_speckle_and_noise_leave_5_percent_and_2_degrees(delta_n):
    jones, start_px = uniform_jones(delta_n, snr_db=20)
    bounds = depth_window(start_px.astype(np.float32), offset_px=0, depth_px=80, n_z=1000)
    found = fit_rotation(contrasts(jones), *bounds, offset_px=0, **OPTICS)
    error = found.delta_n / delta_n - 1
    assert np.median(np.abs(error)) < 0.05
    assert abs(np.median(error)) < 0.01
    assert np.median(np.abs(axis_difference(found.axis_deg, 25))) < 2


def test_noise_shows_no_birefringence():
    jones, _ = uniform_jones(0, snr_db=-40)
    found = fit(contrasts(jones), 100, 180)
    assert np.mean(found.delta_n == 0) > 0.9


def test_fewer_than_three_samples_show_nothing():
    volumes = ideal(2e-3, 25)
    assert fit(volumes, 0, 2).delta_n.item() == 0
    assert fit(volumes, 0, 3).delta_n.item() > 0


def test_what_lies_below_a_nan_is_left_out():
    volumes = ideal(2e-3, 25)
    cut = Contrasts(*(v.copy() for v in volumes))
    cut.retardance_deg[40] = np.nan
    assert fit(cut, 0, 80).delta_n.item() == fit(volumes, 0, 40).delta_n.item()
