import numpy as np
import pytest

from octflow.core.dispersion import (
    camera_shifts,
    depth_profiles,
    equidistant_fringes,
    estimate_dispersion,
    polynomial_phase,
    sharpness,
)
from octflow.core.errors import EstimateError
from octflow.core.spectra.wavenumber import Resampling

M = np.arange(2048)


def reflectors(phase_rad, n_lines=40, noise=0.0):
    """Fringes cos(2 pi b m / N + phase) of two reflectors per A-line, of a Gaussian source."""
    rng = np.random.default_rng(0)
    bins = rng.uniform(100, 900, (n_lines, 2, 1))
    source = np.exp(-(((M - 1024) / 410) ** 2) / 2)
    fringes = (source * np.cos(2 * np.pi * bins * M / 2048 + phase_rad)).sum(axis=1)
    return (fringes + noise * rng.normal(size=fringes.shape)).astype(np.float32)[None]


@pytest.mark.parametrize("parts_rad", [(12.0, 4.8), (-25.0, 6.0), (40.0, -10.0)])
def test_the_phase_of_reflectors_is_found_with_its_sign(parts_rad):
    found = estimate_dispersion(reflectors(polynomial_phase(2048, *parts_rad), noise=0.05))
    error = found.phase_rad(2048) - polynomial_phase(2048, *parts_rad)
    line = np.polyval(np.polyfit(M, error, 1), M)  # which only shifts
    assert np.abs(error - line).max() < 0.3


def test_reflectors_are_as_sharp_as_without_dispersion():
    blurred, clean = reflectors(polynomial_phase(2048, 20.0, 5.0)), reflectors(np.zeros(2048))
    found = estimate_dispersion(blurred)
    truth = sharpness(depth_profiles(clean, np.zeros(2048)))
    assert found.sharpness_before < 0.6 * truth
    assert found.sharpness_after > 0.99 * truth


def test_noise_has_no_dispersion():
    noise = np.random.default_rng(0).normal(size=(1, 300, 2048)).astype(np.float32)
    with pytest.raises(EstimateError, match="expected a surface or reflections"):
        estimate_dispersion(noise)


def test_darkness_is_refused():
    with pytest.raises(EstimateError, match="without light"):
        estimate_dispersion(np.zeros((1, 4, 2048), np.float32))


def test_what_is_the_same_in_all_spectra_is_no_fringe():
    counts = np.array([[10, 20, 30], [14, 20, 30]], np.uint16)
    table = Resampling(np.array([0, 0, 1]), np.array([0, 0.5, 1], np.float32))
    found = equidistant_fringes(counts, table)
    assert found.tolist() == [[-2.0, -1.0, 0.0], [2.0, 1.0, 0.0]]


@pytest.mark.parametrize("shift_px", [0.0, 0.5, -2.0])
def test_a_camera_that_sees_everything_deeper_is_found(shift_px):
    rng = np.random.default_rng(0)
    speckle = np.fft.rfft(rng.normal(size=(200, 1000)), axis=1)
    band = np.exp(-((np.arange(501) / 120) ** 2))
    turned = np.exp(-2j * np.pi * np.arange(501) * shift_px / 1000)
    first, second = (np.exp(np.fft.irfft(speckle * band * t, 1000)) for t in (1, turned))
    found = camera_shifts(first, second)
    assert len(found) == 7
    np.testing.assert_allclose([s.shift_px for s in found], shift_px, atol=0.1)
