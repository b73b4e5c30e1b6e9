import numpy as np
import pytest

from octflow.simulate.presets import preset
from octflow.simulate.spectrometer import dispersion_phase
from octflow.simulate.tiles import scene_of, tile_jones, tile_profiles, tile_spectra

DISPERSION = dispersion_phase(np.arange(2048), 12.0)


@pytest.fixture(scope="module")
def scanned(tiny, intensity):
    """Intensity (Y, X, Z), data surface and tissue mask of a tile with both."""
    scene = scene_of(tiny, 1)
    _, start = tile_profiles(scene, 2, 0, 32)
    x, y = np.meshgrid(np.arange(32) + scene.positions[2][0], np.arange(32) + scene.positions[2][1])
    tissue = scene.appearance(x, y).sample.tissue
    return intensity(tile_spectra(tiny, 1, 2), DISPERSION), start, tissue


def window(volume, start, first, last):
    index = np.ceil(start).astype(int)[..., None] + np.arange(first, last)
    return np.take_along_axis(volume, index, axis=-1)


def test_tile_holds_tissue_and_agar(scanned):
    assert 0.2 < scanned[2].mean() < 0.9


def test_noise_floor_above_the_surface_is_near_50_db(scanned):
    volume, _, _ = scanned
    assert 48 < 10 * np.log10(volume[..., 20:80].mean()) < 52


def test_tissue_at_the_surface_is_near_80_db(scanned):
    volume, start, tissue = scanned
    assert 78 < 10 * np.log10(window(volume, start, 1, 6)[tissue].mean()) < 83


def test_average_intensity_tells_tissue_from_agar(scanned):
    volume, start, tissue = scanned
    aip = (10 * np.log10(window(volume, start, 0, 80))).mean(axis=-1)
    assert np.percentile(aip[tissue], 2) > 65
    assert aip[~tissue.any(axis=1)].max() < 55


def test_signal_begins_at_the_surface_plus_the_focus_pattern(scanned):
    volume, start, tissue = scanned
    aligned = window(volume, start, -20, 20)[tissue].mean(axis=0)
    level = 10 * np.log10(aligned)
    assert level[:17].max() < 62
    assert level[20:].min() > 75


def test_data_surface_is_sample_surface_plus_focus_pattern(tiny):
    scene = scene_of(tiny, 2)
    _, start = tile_profiles(scene, 3, 0, 32)
    at_x, at_y = scene.positions[3]
    x, y = np.meshgrid(at_x + np.arange(28), at_y + np.arange(32))
    np.testing.assert_allclose(start - scene.appearance(x, y).surface_px, scene.focus_px, atol=1e-9)


def test_overlapping_tiles_see_the_same_sample():
    still = preset("tiny").model_copy(update={"jitter_px": 0, "skew_deg": 0, "focus_scale": 0})
    table = still.experiment.illuminations[0].model_copy(update={"overlap_fraction": 0.25})
    experiment = still.experiment.model_copy(update={"illuminations": (table,)})
    scene = scene_of(still.model_copy(update={"experiment": experiment}), 1)
    below, above = (tile_profiles(scene, tile, 0, 32)[0] for tile in (1, 2))
    np.testing.assert_allclose(above[24:], below[:8], rtol=1e-4, atol=1e-2)


def test_strips_of_a_tile_do_not_depend_on_where_they_begin(tiny):
    scene = scene_of(tiny, 1)
    whole, part = tile_profiles(scene, 1, 0, 32)[0], tile_profiles(scene, 1, 7, 9)[0]
    np.testing.assert_allclose(part, whole[7:9], rtol=1e-4, atol=1e-2)


def test_threads_do_not_change_the_counts():
    row = preset("tiny").experiment.illuminations[0]
    tall = row.model_copy(update={"tile_size_y_px": 70, "tile_size_x_px": 8})
    experiment = preset("tiny").experiment.model_copy(update={"illuminations": (tall,)})
    simulation = preset("tiny").model_copy(update={"experiment": experiment})
    one, three = (tile_spectra(simulation, 1, 1, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_seed_decides_the_counts(tiny):
    first, again = tile_spectra(tiny, 1, 1), tile_spectra(preset("tiny"), 1, 1)
    np.testing.assert_array_equal(first, again)
    other = tile_spectra(tiny.model_copy(update={"seed": 2}), 1, 1)
    assert not np.array_equal(first, other)


def test_complex_tile_agrees_with_the_reconstructed_spectra(tiny, scanned):
    volume, _, tissue = scanned
    jones = tile_jones(tiny, 1, 2)
    ideal = (np.abs(jones) ** 2).sum(axis=0).transpose(1, 2, 0)
    level, expected = (np.log10(v[tissue][:, 190:250]) for v in (ideal, volume))
    assert np.corrcoef(level.ravel(), expected.ravel())[0, 1] > 0.9
    assert 10 * (level - expected).mean() == pytest.approx(0, abs=1)
