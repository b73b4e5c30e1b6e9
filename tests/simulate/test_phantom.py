import numpy as np
import pytest

from octflow.simulate.geometry import canvas_size, to_sample, view_affine
from octflow.simulate.phantom import tissue_at
from octflow.simulate.presets import preset
from octflow.simulate.tiles import phantom_of

DEMO = preset("demo")


def tissue_of(simulation, slice_id=1, mosaic=1):
    n_y, n_x = canvas_size(simulation, mosaic)
    x, y = np.meshgrid(np.arange(float(n_x)), np.arange(float(n_y)))
    x, y = to_sample(view_affine(simulation, mosaic), x, y)
    return tissue_at(phantom_of(simulation), x, y, slice_id)


@pytest.mark.parametrize("mosaic", [1, 2])
def test_tissue_is_surrounded_by_agar_in_every_view(mosaic):
    inside = tissue_of(DEMO, mosaic=mosaic).tissue
    rim = [inside[0], inside[-1], inside[:, 0], inside[:, -1]]
    assert not np.concatenate(rim).any()
    assert 0.3 < inside.mean() < 0.8


def test_birefringence_covers_grey_white_and_bundles():
    tissue = tissue_of(DEMO)
    dn = tissue.dn[tissue.tissue]
    assert 1e-4 <= dn.min() < 2.5e-4
    assert 1.2e-3 < dn.max() <= 1.3e-3
    assert (tissue.dn[~tissue.tissue] == 0).all()


def test_axes_point_everywhere_and_incline_both_ways():
    tissue = tissue_of(DEMO)
    azimuth, inclination = tissue.azimuth_deg[tissue.tissue], tissue.inclination_deg[tissue.tissue]
    counts, _ = np.histogram(azimuth, bins=6, range=(-90, 90))
    assert (counts > 0).all()
    assert inclination.min() < -20
    assert inclination.max() > 20
    assert np.abs(inclination).max() <= 60


def test_surface_is_uneven_around_its_mean_depth():
    surface = tissue_of(DEMO).surface_px
    assert surface.mean() == pytest.approx(150, abs=20)
    assert 15 < np.ptp(surface) < 50
    assert np.abs(np.diff(surface, axis=1)).max() < 2


def test_consecutive_slices_resemble_each_other():
    first, second = tissue_of(DEMO, 1), tissue_of(DEMO, 2)
    assert (first.tissue != second.tissue).mean() < 0.1
    assert np.abs(first.surface_px - second.surface_px).max() < 8
    assert np.corrcoef(first.dn.ravel(), second.dn.ravel())[0, 1] > 0.9


def test_phantom_is_a_function_of_its_seed():
    other = DEMO.model_copy(update={"seed": 2})
    np.testing.assert_array_equal(tissue_of(DEMO).dn, tissue_of(preset("demo")).dn)
    assert not np.array_equal(tissue_of(DEMO).dn, tissue_of(other).dn)
