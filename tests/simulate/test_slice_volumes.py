import numpy as np
import pytest

from octflow.simulate.phantom import AGAR_DB, build_phantom, tissue_at
from octflow.simulate.slice_volumes import Cut, slice_volume
from octflow.simulate.vessels import vessel_mask

CUT = Cut(thickness_um=200, surface_px=8, n_depth=60, voxel_um=10, voxel_z_um=2.5)
SIZE = (100, 120)


@pytest.fixture(scope="module")
def phantom():
    return build_phantom(
        5, size_px=SIZE, margin_px=8, surface_px=(40, 5), n_slices=3, slice_thickness_um=200,
        voxel_um=10,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scanned(phantom):
    y, x = np.indices(SIZE, dtype=float)
    return slice_volume(phantom, x, y, 2, CUT), tissue_at(phantom, x, y, 2)


def mean_db(volume):
    """Of intensities, over A-lines."""
    return 10 * np.log10(np.mean(10 ** (volume / 10), axis=1))


def test_above_the_surface_and_beside_the_tissue_there_is_agar(scanned):
    volume, sample = scanned
    assert np.abs(mean_db(volume[:8].reshape(8, -1)) - AGAR_DB).max() < 0.3
    assert np.abs(mean_db(volume[:, ~sample.tissue]) - AGAR_DB).max() < 0.6


def test_tissue_is_as_bright_as_its_surface_and_decays_both_ways(phantom, scanned):
    volume, sample = scanned
    y, x = np.indices(SIZE) * CUT.voxel_um
    z_um = 200 + np.arange(52) * 2.5
    free = sample.tissue & ~vessel_mask(phantom.vessels, x, y, z_um).any(axis=2)
    depth_mm = 1e-3 * 2.5 * np.arange(52)[:, None]
    decay = np.exp(-2 * sample.attenuation_per_mm[free] * depth_mm)
    power = 10 ** (sample.surface_db[free] / 10) * decay + 10 ** (AGAR_DB / 10)
    expected = 10 * np.log10(power.mean(axis=1))
    assert np.abs(mean_db(volume[8:][:, free]) - expected).max() < 0.3


def test_vessels_are_18_db_darker(phantom, scanned):
    volume, sample = scanned
    y, x = np.indices(SIZE) * CUT.voxel_um
    dark = vessel_mask(phantom.vessels, x, y, np.array([205.0]))[..., 0] > 0
    inside, beside = sample.tissue & dark, sample.tissue & ~dark
    plane = volume[10][None]
    assert mean_db(plane[:, inside]) - mean_db(plane[:, beside]) == pytest.approx(-18, abs=2)


def test_a_slice_moved_shows_the_sample_moved(phantom, scanned):
    y, x = np.indices(SIZE, dtype=float)
    moved = slice_volume(phantom, x + 5, y - 3, 2, CUT)
    tissue = tissue_at(phantom, x + 5, y - 3, 2).tissue
    np.testing.assert_array_equal(tissue[3:, :-5], scanned[1].tissue[:-3, 5:])
    assert np.median(moved[8:12][:, tissue]) > 70
    assert np.median(moved[8:12][:, ~tissue]) < 50
