"""All products of a tile in memory."""

import numpy as np
import pytest

from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.products import (
    Window,
    enface_maps,
    rotation_maps,
    slope_maps,
    surface_by,
    window_of,
)

WINDOW = Window(offset_px=0, depth_px=40, wavelength_um=1.3, voxel_z_um=2.5)


def maps_of(volumes):
    surface = surface_by("find", volumes.intensity_db, 55)
    bounds = window_of(surface, WINDOW, 300)
    return enface_maps(volumes, surface, bounds) | slope_maps(*volumes[1:], bounds, WINDOW)


@pytest.fixture
def volumes():
    """Tissue from depth 60 on: 70 dB, retardance rising by 0.5 degrees, axis 30 degrees."""
    z = np.broadcast_to(np.arange(300.0)[:, None, None], (300, 5, 6))
    intensity_db = np.where((z >= 60) & (z < 190), 70, 40)
    retardance_deg = np.clip(0.5 * (z - 60), 0, 90)
    arrays = (intensity_db, retardance_deg, np.full(z.shape, 30))
    return Contrasts(*(array.astype(np.float32) for array in arrays))


def test_maps_are_those_of_the_tissue(volumes):
    maps = maps_of(volumes)
    expected = {"surf": 60, "surfraw": 60, "aip": 70, "mip": 70, "ret": 0.5 * 19.5, "ori": 30}
    for name, value in expected.items():
        np.testing.assert_allclose(maps[name], value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(maps["biref"], 0.5 / 360 * 1.3 / 2.5, rtol=1e-5)


def test_rotation_and_slope_agree_below_the_fold(volumes):
    surface = surface_by("find", volumes.intensity_db, 55)
    found = rotation_maps(volumes, window_of(surface, WINDOW, 300), WINDOW, 6e-3)
    np.testing.assert_allclose(found["biref"], maps_of(volumes)["biref"], rtol=1e-4)
    np.testing.assert_allclose(found["ori"], 30, atol=1e-2)


def test_a_constant_surface_is_taken_as_it_is(volumes):
    surface = surface_by(100, volumes.intensity_db, 55)
    assert (surface.index_px == 100).all()
    assert (surface_by(5000, volumes.intensity_db, 55).index_px == 299).all()


def test_the_threshold_rule_is_used(volumes):
    inside = volumes.intensity_db[70:]
    assert (surface_by("find-threshold", inside, 55).index_px == 0).all()


def test_a_map_is_taken_as_it_is(volumes):
    surface_px = np.linspace(-3, 320, 30).reshape(5, 6)
    found = surface_by(surface_px, volumes.intensity_db, 55)
    np.testing.assert_allclose(found.index_px, np.clip(surface_px, 0, 299), rtol=1e-6)
    assert np.isnan(found.step_db).all()


def test_the_refined_rule_is_used(volumes):
    found = surface_by("find-refined", volumes.intensity_db, 55)
    np.testing.assert_allclose(found.index_px, 60, atol=0.01)
