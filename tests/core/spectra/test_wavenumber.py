"""The wavenumber grid against the wavelength maps written out."""

import numpy as np
import pytest

from octflow.core.spectra.wavenumber import (
    Resampling,
    WavelengthMap,
    common_wavenumbers,
    resampling,
    reversed_resampling,
)

FIRST = WavelengthMap(0.159377, 1146.436)
SECOND = WavelengthMap(0.159057, 1146.579)
K = common_wavenumbers(FIRST, SECOND, 2048)


def interpolated(table: Resampling, samples):
    weight = table.weight.astype(float)
    return (1 - weight) * samples[table.before] + weight * samples[table.before + 1]


def test_wavenumbers_fall_in_equal_steps():
    np.testing.assert_allclose(np.diff(K), (K[-1] - K[0]) / 2047, rtol=1e-6)
    assert K[0] > K[-1]


def test_the_range_is_what_both_cameras_see():
    assert 2 * np.pi / K[0] == pytest.approx(0.159057 + 1146.579)
    assert 2 * np.pi / K[-1] == pytest.approx(0.159057 * 2048 + 1146.579)


def test_the_depth_step_is_the_known_one_in_air():
    step_nm = np.pi / (2048 * abs(K[1] - K[0]))
    assert step_nm / 1000 == pytest.approx(2.59, abs=0.005)


@pytest.mark.parametrize("camera", [FIRST, SECOND], ids=["camera 1", "camera 2"])
def test_interpolated_wavelengths_are_those_of_the_grid(camera):
    wavelength_nm = camera.slope_nm * np.arange(1, 2049) + camera.offset_nm
    found = interpolated(resampling(camera, K), wavelength_nm)
    np.testing.assert_allclose(found, 2 * np.pi / K, rtol=1e-9)


@pytest.mark.parametrize("camera", [FIRST, SECOND], ids=["camera 1", "camera 2"])
def test_weights_interpolate_and_never_extrapolate(camera):
    table = resampling(camera, K)
    assert table.before.min() >= 0
    assert table.before.max() <= 2046
    assert 0 <= table.weight.min() <= table.weight.max() <= 1


def test_a_reversed_table_reads_a_reversed_spectrum_alike():
    samples = np.random.default_rng(0).normal(size=2048)
    table = resampling(SECOND, K)
    found = interpolated(reversed_resampling(table), samples[::-1])
    np.testing.assert_allclose(found, interpolated(table, samples), atol=1e-6)
