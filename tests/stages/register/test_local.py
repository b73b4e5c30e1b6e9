import numpy as np
import pytest

from octflow.core.axial import axis_difference, wrap_axis
from octflow.core.instrument import Instrument
from octflow.simulate.uniform import uniform_jones
from octflow.stages.register.local import depth_window, local_birefringence

WAVELENGTH_UM, STEP_UM = 1.3, 2.5


def window_of(**changes):
    options = {"largest_dn": 3e-3, "smoothing_px": 0.0} | changes
    return depth_window(60, wavelength_um=WAVELENGTH_UM, step_um=STEP_UM, **options)


def measured(dn, axis_deg):
    """Folded retardance and jumping axis of birefringence (Z,) above each other, one axis."""
    delta_deg = 360 * np.cumsum(dn) * STEP_UM / WAVELENGTH_UM
    folded = 90 - np.abs(delta_deg % 180 - 90)
    axis = wrap_axis(np.where(delta_deg % 180 <= 90, axis_deg, axis_deg + 90))
    volumes = (np.full(dn.size, 70.0), folded, axis)
    return [v.astype(np.float32)[:, None, None] for v in volumes]


@pytest.mark.parametrize("dn", [2e-4, 1e-3, 2.9e-3])
@pytest.mark.parametrize("axis_deg", [25.0, -80.0, 90.0])
def test_uniform_tissue_is_found_beyond_the_fold(dn, axis_deg):
    found, axis, coherence = local_birefringence(*measured(np.full(200, dn), axis_deg), window_of())
    inside = slice(20, 180)
    np.testing.assert_allclose(found[inside], dn, rtol=1e-4)
    assert np.abs(axis_difference(axis[inside], axis_deg)).max() < 0.01
    np.testing.assert_allclose(coherence[inside], 1, atol=1e-5)


def test_a_lower_layer_is_told_from_the_upper_one():
    dn = np.where(np.arange(240) < 120, 1e-3, 3e-4)
    found = local_birefringence(*measured(dn, 30.0), window_of())[0].ravel()
    np.testing.assert_allclose(found[20:88], 1e-3, rtol=1e-4)
    np.testing.assert_allclose(found[152:210], 3e-4, rtol=1e-4)


def test_values_of_a_block_depend_on_no_more_than_its_halo():
    volumes = measured(np.full(200, 1e-3), 10.0)
    volumes = [np.broadcast_to(v, (200, 12, 12)).copy() for v in volumes]
    window = window_of(smoothing_px=1.0)
    whole = local_birefringence(*volumes, window)[0][100, 6, 6]
    z, y, x = window.halo_px
    outside = np.ones(volumes[0].shape, bool)
    outside[100 - z : 101 + z, 6 - y : 7 + y, 6 - x : 7 + x] = False
    for volume in volumes:
        volume[outside] = np.nan
    assert local_birefringence(*volumes, window)[0][100, 6, 6] == pytest.approx(whole, rel=1e-5)


def test_noise_alone_is_not_coherent():
    rng = np.random.default_rng(0)
    jones = rng.normal(size=(2, 200, 16, 16, 2)) @ [1, 1j]
    retardance = np.rad2deg(np.arctan2(*np.abs(jones)))
    axis = np.rad2deg(np.angle(jones[0] * jones[1].conj())) / 2
    volumes = (10 * np.log10((np.abs(jones) ** 2).sum(axis=0)), retardance, axis)
    window = window_of(smoothing_px=1.0)
    coherence = local_birefringence(*(v.astype(np.float32) for v in volumes), window)[2]
    assert np.quantile(coherence, 0.99) < 0.5


def test_empty_voxels_count_nothing():
    volumes = measured(np.full(150, 1e-3), 10.0)
    for volume in volumes:
        volume[90:] = np.nan
    found, _, coherence = local_birefringence(*volumes, window_of())
    np.testing.assert_allclose(found[30:60], 1e-3, rtol=1e-4)
    assert coherence[130, 0, 0] == 0


def test_speckled_tissue_at_20_db_is_found_without_bias():
    instrument = Instrument()
    jones, surface_px = uniform_jones(
        1e-3, snr_db=20, axis_deg=25.0, attenuation_per_mm=4, size_px=24
    )
    retardance = np.rad2deg(np.arctan2(*np.abs(jones)))
    axis = np.rad2deg(np.angle(jones[0] * jones[1].conj() * np.exp(2j * np.deg2rad(100)))) / 2
    intensity = 10 * np.log10((np.abs(jones) ** 2).sum(axis=0))
    window = depth_window(
        60, largest_dn=3e-3, smoothing_px=1.0,
        wavelength_um=instrument.wavelength_um, step_um=instrument.voxel_z_um,
    )  # fmt: skip
    volumes = (v.astype(np.float32) for v in (intensity, retardance, axis))
    found, local, _ = local_birefringence(*volumes, window)
    at = round(float(np.median(surface_px))) + 40
    assert np.median(found[at]) == pytest.approx(1e-3, rel=0.02)
    assert np.median(np.abs(found[at] - 1e-3)) < 0.05e-3
    assert np.median(np.abs(axis_difference(local[at], 25.0))) < 2
