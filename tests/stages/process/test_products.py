"""All products of a tile in memory, and the judgement of them."""

import numpy as np
import pytest

from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.products import (
    Window,
    enface_maps,
    judge_tile,
    noise_floor_db,
    surface_by,
)

WINDOW = Window(offset_px=0, depth_px=40, wavelength_um=1.3, voxel_z_um=2.5)


@pytest.fixture
def volumes():
    """Tissue from depth 60 on: 70 dB, retardance rising by 0.5 degrees, axis 30 degrees."""
    z = np.broadcast_to(np.arange(300.0)[:, None, None], (300, 5, 6))
    intensity_db = np.where((z >= 60) & (z < 190), 70, 40)
    retardance_deg = np.clip(0.5 * (z - 60), 0, 90)
    arrays = (intensity_db, retardance_deg, np.full(z.shape, 30))
    return Contrasts(*(array.astype(np.float32) for array in arrays))


def test_maps_are_those_of_the_tissue(volumes):
    surface = surface_by("find", volumes.intensity_db, 55)
    maps = enface_maps(volumes, surface, WINDOW)
    expected = {"surf": 60, "surfraw": 60, "aip": 70, "mip": 70, "ret": 0.5 * 19.5, "ori": 30}
    for name, value in expected.items():
        np.testing.assert_allclose(maps[name], value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(maps["biref"], 0.5 / 360 * 1.3 / 2.5, rtol=1e-5)
    assert "mus" not in maps


def test_scattering_is_made_on_request(volumes):
    surface = surface_by(60, volumes.intensity_db, 55)
    assert enface_maps(volumes, surface, WINDOW, with_scattering=True)["mus"].min() > 0


def test_a_constant_surface_is_taken_as_it_is(volumes):
    surface = surface_by(100, volumes.intensity_db, 55)
    assert (surface.index_px == 100).all()
    assert (surface_by(5000, volumes.intensity_db, 55).index_px == 299).all()


def test_the_threshold_rule_is_used(volumes):
    inside = volumes.intensity_db[70:]
    assert (surface_by("find-threshold", inside, 55).index_px == 0).all()


def test_the_noise_floor_is_that_of_the_deepest_samples(volumes):
    assert noise_floor_db(volumes.intensity_db) == 40


def test_a_good_tile_is_judged_good(volumes):
    surface = surface_by("find", volumes.intensity_db, 55)
    maps = enface_maps(volumes, surface, WINDOW)
    qc = judge_tile(maps, surface, noise_db=40, min_step_db=3)
    assert qc == {
        "noise_floor_db": 40,
        "snr_db": 30,
        "surface_roughness_px": 0,
        "surface_found_fraction": 1,
    }


def test_noise_has_no_believable_surface():
    rng = np.random.default_rng(0)
    field = rng.normal(size=(2, 500, 20, 20, 2)).view(complex)[..., 0]
    intensity_db = 10 * np.log10((np.abs(field) ** 2).sum(axis=0)).astype(np.float32)
    surface = surface_by("find", intensity_db, 55)
    maps = dict.fromkeys(("mip", "surf", "surfraw"), surface.index_px)
    qc = judge_tile(maps, surface, noise_db=0, min_step_db=3)
    assert qc["surface_found_fraction"] < 0.05


def test_a_constant_surface_is_not_judged_found(volumes):
    surface = surface_by(60, volumes.intensity_db, 55)
    qc = judge_tile(enface_maps(volumes, surface, WINDOW), surface, noise_db=40, min_step_db=3)
    assert "surface_found_fraction" not in qc
