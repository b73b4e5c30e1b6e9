import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.simulate.geometry import view_affine
from octflow.simulate.presets import preset
from octflow.simulate.tiles import phantom_of
from octflow.simulate.views import appearance_at, project_fibre

GOLDEN = [
    (-15, (20, 20, 2), (18.848867, 1.979264)),
    (-15, (60, 20, 2), (56.318403, 1.912838)),
    (0, (20, 20, 2), (20, 1.766044)),
    (0, (60, 20, 2), (60, 1.766044)),
    (10, (-35, -30, 1), (-32.309846, 0.863679)),
    (0, (-35, -30, 1), (-35, 0.75)),
]


@pytest.mark.parametrize(("tilt_deg", "fibre", "seen"), GOLDEN)
def test_projection_of_known_fibres(tilt_deg, fibre, seen):
    azimuth_deg, inclination_deg, dn = fibre
    birefringence, axis = project_fibre(dn, azimuth_deg, inclination_deg, tilt_deg)
    assert (float(axis), float(birefringence)) == pytest.approx(seen, abs=1e-6)


def test_birefringence_vanishes_along_the_beam():
    birefringence, _ = project_fibre(1.0, 0.0, 75.0, 15.0)
    assert float(birefringence) == pytest.approx(0, abs=1e-12)


def test_inclination_belongs_to_the_fibre_direction_with_positive_x():
    flipped = project_fibre(1.0, 20.0 + 180, 30.0, -15.0)
    np.testing.assert_allclose(flipped, project_fibre(1.0, 20.0, 30.0, -15.0))


@pytest.fixture(scope="module")
def positions():
    x, y = np.meshgrid(np.arange(60.0, 120), np.arange(50.0, 90))
    return x, y


def seen_with(affine, tilt_deg, positions):
    return appearance_at(phantom_of(preset("demo")), affine, tilt_deg, *positions, 1)


def test_instrument_counts_the_axis_against_the_azimuth(positions):
    seen = seen_with(np.eye(2, 3), 0.0, positions)
    np.testing.assert_allclose(
        axis_difference(seen.axis_deg, -seen.sample.azimuth_deg), 0, atol=1e-9
    )


def test_a_turned_view_turns_the_azimuth_with_it(positions):
    turn = np.deg2rad(30)
    affine = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]])
    turned = tuple(affine[:, :2] @ np.stack([p.ravel() for p in positions]))
    seen, straight = seen_with(affine, 0.0, turned), seen_with(np.eye(2, 3), 0.0, positions)
    difference = axis_difference(seen.axis_deg, straight.axis_deg.ravel())
    np.testing.assert_allclose(difference, -30, atol=1e-6)


def test_surface_lies_deeper_along_a_tilted_beam(positions):
    affine = view_affine(preset("demo"), 2)
    seen = seen_with(affine, -15.0, positions)
    ratio = seen.surface_px / seen.sample.surface_px
    np.testing.assert_allclose(ratio, 1 / np.cos(np.deg2rad(15)))
