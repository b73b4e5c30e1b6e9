import numpy as np
import pytest

from octflow.core.axial import axis_difference, wrap_axis
from octflow.stages.register.local import depth_window
from octflow.stages.register.solid import Solid, SolidView, columns, quantity_of

SHAPE = (200, 12, 14)
WAVELENGTH_UM, STEP_UM = 1.3, 2.5
WINDOW = depth_window(
    60, largest_dn=3e-3, smoothing_px=1.0, wavelength_um=WAVELENGTH_UM, step_um=STEP_UM
)
MATRIX = np.array([[0.97, -0.03, -0.07, 7.3], [0.03, 1.0, 0, -0.5], [0, 0, 1.035, 3.0]])
WHERE = (slice(60, 120), slice(3, 9), slice(2, 9))
FIBRES = [(20, 20), (60, 20), (-35, -30), (80, -50), (10, 65), (-70, 5)]


def contrasts(axis, dn, tilt_deg, fields, turn_deg=0.0):
    """Volumes of a view of uniform fibres, turned about the beam, as the instrument counts."""
    apparent, azimuth_deg = fields.seen_under(axis, dn, tilt_deg)
    delta_deg = 360 * apparent * STEP_UM * np.arange(SHAPE[0]) / WAVELENGTH_UM
    ori = -(azimuth_deg + turn_deg) + np.where(delta_deg % 180 <= 90, 0, 90)
    lines = (np.full(SHAPE[0], 70.0), 90 - np.abs(delta_deg % 180 - 90), wrap_axis(ori))
    return tuple(np.broadcast_to(a.astype(np.float32)[:, None, None], SHAPE).copy() for a in lines)


def solid_of(fields, azimuth_deg, inclination_deg, tilts=(0, -15), dn=1.2e-3, **options):
    phi, alpha = np.deg2rad([azimuth_deg, inclination_deg])
    axis = np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
    views = [SolidView(tilts[0], contrasts(axis, dn, tilts[0], fields))]
    views += [
        SolidView(g, contrasts(axis, dn, g, fields, turn_deg=2.0), MATRIX, 2.0) for g in tilts[1:]
    ]
    chosen = {"window": WINDOW, "min_coherence": 0.9, "noise": 0.0} | options
    return Solid(views, [1.0] * len(views), **chosen)


@pytest.mark.parametrize("tilts", [(0, -15), (0, -15, 15), (5, -15)])
@pytest.mark.parametrize(("azimuth_deg", "inclination_deg"), FIBRES)
def test_fibres_of_voxels_are_found(fields, azimuth_deg, inclination_deg, tilts):
    solid = solid_of(fields, azimuth_deg, inclination_deg, tilts)
    w = solid.block(*WHERE)
    found = {q: quantity_of(q, w) for q in ("inclination", "azimuth", "dn")}
    np.testing.assert_allclose(found["inclination"], inclination_deg, atol=0.1)
    assert np.abs(axis_difference(found["azimuth"], azimuth_deg)).max() < 0.1
    np.testing.assert_allclose(found["dn"], 1.2e-3, rtol=2e-3)


def test_a_voxel_that_one_view_does_not_see_has_no_fibres(fields):
    solid = solid_of(fields, 20, 20)
    for volume in solid.views[1].contrasts:
        volume[:, 7:] = np.nan
    found = quantity_of("inclination", solid.block(*WHERE))
    assert np.isfinite(found[:, :3]).all()
    assert np.isnan(found[:, -1]).all()


def test_a_view_that_agrees_too_little_tells_nothing(fields):
    rng = np.random.default_rng(0)
    solid = solid_of(fields, 20, 20)
    solid.views[0].contrasts[2][:] = rng.uniform(-90, 90, SHAPE)
    assert not solid.block(*WHERE).any()
    assert np.isnan(quantity_of("dn", solid.block(*WHERE))).all()


def test_blocks_do_not_depend_on_how_the_volume_is_cut(fields):
    solid = solid_of(fields, 60, 20)
    rng = np.random.default_rng(1)
    for view in solid.views:
        view.contrasts[1][:] += rng.normal(scale=2, size=SHAPE)
    whole = quantity_of("inclination", solid.block(*WHERE))
    part = quantity_of("inclination", solid.block(slice(80, 90), slice(5, 8), slice(4, 9)))
    np.testing.assert_allclose(part, whole[20:30, 2:5, 2:], atol=0.02)


def test_columns_cover_a_block_once():
    count = np.zeros((100, 150), int)
    for y, x in columns(slice(30, 100), slice(10, 150)):
        count[y, x] += 1
    assert count[30:, 10:].min() == count.max() == 1
    assert count.sum() == 70 * 140
