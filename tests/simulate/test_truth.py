import json

import nibabel as nib
import numpy as np
import pytest

from octflow.simulate.spectrometer import dispersion_phase
from octflow.simulate.tiles import scene_of
from octflow.simulate.truth import truth_maps, write_truth


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment")
    write_truth(tiny, path)
    return path


def test_dispersion_is_2048_little_endian_doubles(folder):
    phase = np.fromfile(folder / "dispersion.dat", "<f8")
    np.testing.assert_array_equal(phase, dispersion_phase(np.arange(2048.0), 12.0))


def test_positions_are_those_of_the_tiles(folder, tiny):
    positions = json.loads((folder / "truth" / "positions-tilted.json").read_text())
    assert {int(t): tuple(p) for t, p in positions.items()} == scene_of(tiny, 2).positions


def test_maps_cover_the_mosaic(folder, tiny):
    positions = np.array(list(scene_of(tiny, 1).positions.values()))
    n_x, n_y = np.ceil(positions.max(axis=0) + 32).astype(int)
    image = nib.load(folder / "truth" / "mosaic_001_dn.nii")
    assert image.shape == (n_x, n_y, 1)
    np.testing.assert_allclose(image.header.get_zooms(), (0.01, 0.01, 0.0025))


def test_every_mosaic_has_its_maps(folder):
    names = {p.name for p in (folder / "truth").glob("mosaic_004_*")}
    words = ("surface", "retardance_slope", "axis", "azimuth", "inclination", "dn", "tissue")
    assert names == {f"mosaic_004_{w}.nii" for w in (*words, "birefringence")}


def test_retardance_slope_is_birefringence_in_degrees_per_sample(tiny):
    maps = truth_maps(tiny, 2)
    expected = 360 * maps["birefringence"] * 2.5 / 1.3
    np.testing.assert_allclose(maps["retardance_slope"], expected, rtol=1e-5)


def test_apparent_birefringence_never_exceeds_that_of_the_fibre(tiny):
    for mosaic in (1, 2):
        maps = truth_maps(tiny, mosaic)
        assert (maps["birefringence"] <= maps["dn"] * (1 + 1e-6)).all()


def test_geometry_and_vessels_are_plain_numbers(folder):
    affine = np.array(json.loads((folder / "truth" / "geometry-tilted.json").read_text()))
    vessels = json.loads((folder / "truth" / "vessels.json").read_text())
    assert affine.shape == (2, 3)
    assert len(vessels["edges"]) == len(vessels["radius_um"])


def test_focus_pattern_has_the_size_of_a_tile(folder):
    image = nib.load(folder / "truth" / "focus-tilted.nii")
    assert image.shape == (28, 32, 1)
    assert np.asanyarray(image.dataobj).min() == 0
