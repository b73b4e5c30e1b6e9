import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.simulate.profiles import N_SCATTER, Column, jones_profiles
from octflow.simulate.spectrometer import (
    build_spectrometer,
    camera_positions,
    dispersion_phase,
    fringes,
    ideal_profiles,
    source_envelope,
)

GRID = np.arange(2048)


@pytest.fixture(scope="module")
def spectrometer():
    return build_spectrometer(Instrument(), 12.0)


@pytest.fixture(scope="module")
def scatterers():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(1, 2, 3, N_SCATTER, 2)).astype(np.float32)
    return profiles.view(np.complex64)[..., 0], np.array([[100.3, 151.0, 177.9]])


def empty_profiles():
    return np.zeros((1, 2, 1, N_SCATTER), np.complex64)


def test_camera_pixels_lie_where_their_wavenumber_says(wavenumbers):
    k, grid = wavenumbers
    expected = (grid[0] - k) / (grid[0] - grid[1])
    np.testing.assert_allclose(camera_positions(Instrument()), expected, atol=1e-6)


def test_common_grid_is_covered_by_both_cameras():
    position = camera_positions(Instrument())
    assert (position[:, 0] <= 0).all()
    assert (position[:, -1] >= 2047 - 1e-9).all()


@pytest.mark.parametrize("channel", [0, 1])
def test_a_reflector_makes_a_cosine_in_wavenumber(spectrometer, wavenumbers, channel):
    k, grid = wavenumbers
    profiles, j, start = empty_profiles(), 70, 120.4
    profiles[0, channel, 0, j] = 5e4 * np.exp(0.7j)
    found = fringes(profiles, np.array([[start]]), spectrometer)
    depth = (start + j + 24) * np.pi / (2048 * (grid[0] - grid[1]))
    phase = 2 * (k[channel] - grid[0]) * depth + 0.7 - spectrometer.dispersion[channel]
    cosine = 2 / 2048 * spectrometer.envelope[channel] * 5e4 * np.cos(phase)
    np.testing.assert_allclose(found[0, channel, 0], cosine, atol=0.01)
    assert np.abs(found[0, 1 - channel]).max() == 0


def test_fringes_of_many_scatterers_are_their_sum_term_by_term(spectrometer, scatterers):
    profiles, start = scatterers
    found = fringes(profiles, start, spectrometer)
    for c, x, p in [(0, 0, 0), (0, 1, 777), (1, 2, 2047), (1, 0, 1500)]:
        bins = start[0, x] + 24 + np.arange(N_SCATTER)
        turn = 2 * np.pi * bins * spectrometer.position[c, p] / 2048
        turn = turn - np.angle(profiles[0, c, x]) + spectrometer.dispersion[c, p]
        expected = np.sum(np.abs(profiles[0, c, x]) * np.cos(turn))
        expected *= 2 / 2048 * spectrometer.envelope[c, p]
        assert found[0, c, x, p] == pytest.approx(expected, abs=5e-4)


def test_reconstruction_finds_amplitude_and_phase_at_the_depth_of_the_reflector(
    spectrometer, reconstructed
):
    profiles = empty_profiles()
    profiles[0, :, 0, 30] = [3e4 * np.exp(0.4j), 4e4 * np.exp(-0.2j)]
    counts = fringes(profiles, np.array([[70.0]]), spectrometer)
    found = reconstructed(counts, dispersion_phase(GRID, 12.0))[0, :, 0]
    assert np.abs(found).argmax(axis=-1).tolist() == [100, 100]
    np.testing.assert_allclose(np.abs(found[:, 100]), [3e4, 4e4], rtol=0.03)
    np.testing.assert_allclose(np.angle(found[:, 100]), [0.4, -0.2], atol=0.01)


def test_without_its_phase_dispersion_blurs_the_reflector(spectrometer, reconstructed):
    profiles = empty_profiles()
    profiles[0, 0, 0, 30] = 3e4
    counts = fringes(profiles, np.array([[70.0]]), spectrometer)
    assert np.abs(reconstructed(counts)[0, 0, 0]).max() < 0.6 * 3e4


def test_depth_step_of_the_example_is_two_point_five_nine_micrometres(wavenumbers):
    _, grid = wavenumbers
    assert np.pi / (2048 * (grid[0] - grid[1])) == pytest.approx(2590, abs=10)


def test_ideal_profiles_are_what_the_definition_reconstructs(
    spectrometer, scatterers, reconstructed
):
    profiles, start = scatterers
    shallow = profiles.copy()
    shallow[..., 80:] = 0
    found = reconstructed(fringes(shallow, start, spectrometer), dispersion_phase(GRID, 12.0))
    expected = ideal_profiles(shallow, start)
    error = np.abs(found - expected)[..., :300].max()
    assert error < 0.12 * np.abs(expected).max()


def test_source_spectrum_has_mean_one_and_is_symmetric():
    envelope = source_envelope(GRID)
    assert envelope.mean() == pytest.approx(1)
    np.testing.assert_allclose(envelope, envelope[::-1])


def scatterer_below(depth_px, *, birefringence, axis_deg):
    """Profiles of one scatterer below birefringent tissue, and the surface it starts from."""
    column = Column(*(np.full((1, 1), v) for v in (100.0, 80.0, 2.0, birefringence, axis_deg)))
    speckle = np.zeros((1, 1, N_SCATTER), np.complex64)
    speckle[..., depth_px] = np.exp(1.1j)
    dark, voxel = np.zeros(speckle.shape, np.uint8), {"wavelength_um": 1.3, "voxel_z_um": 2.5}
    return jones_profiles(speckle, dark, column, axis_offset_deg=100, **voxel), column.start_px


@pytest.mark.parametrize("axis_deg", [-80.0, 35.0])
def test_retardance_and_axis_come_back_from_the_reconstruction(
    spectrometer, reconstructed, axis_deg
):
    scattered = scatterer_below(60, birefringence=6e-4, axis_deg=axis_deg)
    counts = fringes(*scattered, spectrometer)
    j1, j2 = reconstructed(counts, dispersion_phase(GRID, 12.0))[0, :, 0, 160]
    retardance = 360 * 6e-4 * 150 / 1.3
    assert np.rad2deg(np.arctan2(abs(j1), abs(j2))) == pytest.approx(retardance, abs=0.2)
    product = j1 * np.conj(j2) * np.exp(2j * np.deg2rad(100))
    assert np.rad2deg(np.angle(product)) / 2 == pytest.approx(axis_deg, abs=0.2)
