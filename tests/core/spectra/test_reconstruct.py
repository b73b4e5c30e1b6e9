"""Spectra to complex depth profiles, against the definition summed term by term."""

import numpy as np
import pytest

from octflow.core.spectra.reconstruct import (
    complex_tile,
    saturated_count,
    spectral_phasor,
)
from octflow.core.spectra.wavenumber import (
    WavelengthMap,
    common_wavenumbers,
    resampling,
    reversed_resampling,
)

N = 2048
CAMERAS = (WavelengthMap(0.159377, 1146.436), WavelengthMap(0.159057, 1146.579))
K = common_wavenumbers(*CAMERAS, N)
TABLES = (resampling(CAMERAS[0], K), reversed_resampling(resampling(CAMERAS[1], K)))
PLAIN = spectral_phasor(N)


def definition(lines, camera, phase_rad, depth, taper=1.0):
    """One B-line (X, K) of one channel, already in the order of wavelength; float64 throughout."""
    lines = lines - lines.mean(axis=0)
    wavelength_nm = camera.slope_nm * np.arange(1, N + 1) + camera.offset_nm
    even = np.array([np.interp(2 * np.pi / K, wavelength_nm, line) for line in lines])
    even = (even - np.median(even, axis=0)) * np.exp(-1j * phase_rad) * taper
    kernel = np.exp(-2j * np.pi * np.outer(np.asarray(depth) + 24, np.arange(N)) / N)
    return np.array([[np.conj((term * line).sum()) for line in even] for term in kernel])


def random_spectra(n_x, n_y=1):
    rng = np.random.default_rng(n_x)
    return rng.integers(0, 4096, size=(n_y, 2, n_x, N)).astype(np.uint16)


def fringes(phase_rad, bin_number, dispersion_rad=0.0):
    """One B-line with one bright A-line of cos(2 z (k - k_max) + phase - dispersion)."""
    spectra = np.full((1, 2, 5, N), 2000.0)
    for channel, camera in enumerate(CAMERAS):
        wavelength_nm = camera.slope_nm * np.arange(1, N + 1) + camera.offset_nm
        n = (2 * np.pi / wavelength_nm - K[0]) / (K[1] - K[0])
        extra = np.interp(n, np.arange(N), np.broadcast_to(dispersion_rad, N))
        argument = phase_rad - 2 * np.pi * bin_number * n / N - extra
        spectra[0, channel, 0] += 1500 * np.cos(argument)
    spectra[:, 1] = spectra[:, 1, :, ::-1]
    return np.rint(spectra).astype(np.uint16)


@pytest.mark.parametrize("n_x", [4, 5, 16, 35])
@pytest.mark.parametrize("channel", [0, 1])
def test_a_tile_is_the_definition_summed_term_by_term(n_x, channel):
    spectra = random_spectra(n_x, n_y=2)
    phase_rad = 30 * np.linspace(-1, 1, N) ** 2
    jones = complex_tile(spectra, TABLES, spectral_phasor(N, dispersion_rad=phase_rad))
    depth = [0, 1, 500, 999]
    for y in range(2):
        lines = spectra[y, channel][:, ::-1] if channel else spectra[y, channel]
        expected = definition(lines.astype(float), CAMERAS[channel], phase_rad, depth)
        np.testing.assert_allclose(jones[channel, depth, y], expected, atol=0.5)
        assert np.abs(expected).max() > 1e4


def test_a_tile_has_both_channels_and_all_depths():
    jones = complex_tile(random_spectra(4, n_y=3), TABLES, PLAIN)
    assert jones.shape == (2, 1000, 3, 4)
    assert jones.dtype == np.complex64


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("phase_rad", [0.2, -1.1])
def test_the_phase_is_that_of_the_fringe(channel, phase_rad):
    jones = complex_tile(fringes(phase_rad, 124), TABLES, PLAIN)
    line = jones[channel, :, 0, 0]
    assert np.abs(line).argmax() == 100
    assert np.angle(line[100]) == pytest.approx(phase_rad, abs=0.01)
    assert np.abs(line[100]) == pytest.approx(1500 * N / 2, rel=0.03)


def test_dark_lines_stay_dark_beside_a_bright_one():
    jones = complex_tile(fringes(0.0, 124), TABLES, PLAIN)
    assert np.abs(jones[:, :, 0, 1:]).max() == 0


def test_dispersion_is_taken_out():
    phase_rad = 25 * np.linspace(-1, 1, N) ** 2
    spectra = fringes(0.3, 224, dispersion_rad=phase_rad)
    blurred = complex_tile(spectra, TABLES, PLAIN)
    sharp = complex_tile(spectra, TABLES, spectral_phasor(N, dispersion_rad=phase_rad))
    mirrored = complex_tile(spectra, TABLES, spectral_phasor(N, dispersion_rad=-phase_rad))
    peaks = [np.abs(jones[0, :, 0, 0]).max() for jones in (blurred, sharp, mirrored)]
    assert peaks[1] > 4 * max(peaks[0], peaks[2])
    assert np.angle(sharp[0, 200, 0, 0]) == pytest.approx(0.3, abs=0.01)


def test_each_camera_has_its_own_dispersion():
    phase_rad = np.linspace(-1, 1, N) ** 2
    split = spectral_phasor(N, dispersion_rad=np.concatenate([phase_rad, 2 * phase_rad]))
    np.testing.assert_allclose(split[0], np.exp(1j * phase_rad), atol=1e-6)
    np.testing.assert_allclose(split[1], np.exp(2j * phase_rad), atol=1e-6)


def test_a_hann_window_tapers_the_spectrum():
    spectra = random_spectra(4)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N) / N)
    jones = complex_tile(spectra, TABLES, spectral_phasor(N, window="hann"))
    expected = definition(spectra[0, 0].astype(float), CAMERAS[0], np.zeros(N), [7, 70], taper)
    np.testing.assert_allclose(jones[0, [7, 70], 0], expected, atol=0.5)


def test_saturated_samples_are_counted():
    spectra = random_spectra(4)
    assert saturated_count(spectra, 4000) == np.count_nonzero(spectra >= 4000)


def test_spectra_of_another_length_are_refused():
    with pytest.raises(ValueError, match="1024 samples"):
        complex_tile(random_spectra(4)[..., :1024], TABLES, PLAIN)


def test_memory_with_a_lines_apart_is_refused():
    apart = np.empty((4, 2, 1000, 1), np.complex64).transpose(1, 2, 3, 0)
    with pytest.raises(ValueError, match="adjacent"):
        complex_tile(random_spectra(4), TABLES, PLAIN, jones=apart)
