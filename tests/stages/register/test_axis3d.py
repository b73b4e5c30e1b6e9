import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.core.errors import EstimateError
from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.axis3d import (
    axis_and_birefringence,
    half_vectors,
    project,
    solve_pair,
)

GOLDEN = [
    (-15, (20, 20, 2), (20, 1.766044, 18.848867, 1.979264)),
    (-15, (60, 20, 2), (60, 1.766044, 56.318403, 1.912838)),
    (10, (-35, -30, 1), (-35, 0.75, -32.309846, 0.863679)),
]


def solved(normal, tilted, tilt_deg):
    pair = (half_vectors(*normal), half_vectors(*tilted))
    return axis_and_birefringence(solve_pair(*pair, tilt_deg)[0])


@pytest.mark.parametrize(("tilt_deg", "fibre", "seen"), GOLDEN)
def test_golden_fibres_are_seen_as_known(tilt_deg, fibre, seen):
    phi, alpha = np.deg2rad(fibre[:2])
    axis = np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
    normal, tilted = (project(axis, np.array(float(fibre[2])), g) for g in (0, tilt_deg))
    found = (normal[1], normal[0], tilted[1], tilted[0])
    np.testing.assert_allclose(found, seen, atol=1e-6)


@pytest.mark.parametrize(("tilt_deg", "fibre", "seen"), GOLDEN)
def test_golden_fibres_invert(tilt_deg, fibre, seen):
    normal, tilted = (np.array(seen[1]), np.array(seen[0])), (np.array(seen[3]), np.array(seen[2]))
    axis, dn = solved(normal, tilted, tilt_deg)
    phi, alpha = np.rad2deg(azimuth_and_inclination(axis))
    np.testing.assert_allclose((phi, alpha, dn), fibre, atol=1e-4)


@pytest.mark.parametrize("tilt_deg", [-15, 15, 2.5, -40])
def test_random_fibres_invert_exactly(fields, tilt_deg):
    axis, dn = fields.random_fibres(200_000)
    found, found_dn = solved(
        fields.seen_under(axis, dn, 0), fields.seen_under(axis, dn, tilt_deg), tilt_deg
    )
    assert np.max(np.linalg.norm(np.cross(found, axis, axis=0), axis=0)) < 1e-7
    np.testing.assert_allclose(found_dn, dn, rtol=1e-8)


def test_forward_model_agrees_with_the_angle_to_the_beam(fields):
    axis, dn = fields.random_fibres(1000)
    apparent, azimuth = project(axis, dn, -15)
    expected, expected_azimuth = fields.seen_under(axis, dn, -15)
    np.testing.assert_allclose(apparent, expected, rtol=1e-9)
    assert np.abs(axis_difference(azimuth, expected_azimuth)).max() < 1e-6


# Steep fibres in the plane of the tilt (azimuth 0) look like another fibre and are left out.
@pytest.mark.parametrize("azimuth_deg", [-89, -60, -46, -20, -1, 1, 20, 44, 46, 60, 89, 90])
@pytest.mark.parametrize("inclination_deg", [-88, -80, -45, -10, 0, 10, 45, 80, 88])
def test_sign_of_the_inclination_is_right_everywhere(fields, azimuth_deg, inclination_deg):
    phi, alpha = np.deg2rad([azimuth_deg, inclination_deg])
    axis = np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
    found, _ = solved(fields.seen_under(axis, 1e-3, 0), fields.seen_under(axis, 1e-3, -15), -15)
    assert fields.axis_error_deg(found, axis) < 1e-3


def test_single_precision_stays_single_and_accurate(fields):
    axis, dn = fields.random_fibres(10_000)
    seen = [[np.float32(a) for a in fields.seen_under(axis, dn, g)] for g in (0, -15)]
    found, found_dn = solved(*seen, -15)
    assert found.dtype == found_dn.dtype == np.float32
    assert np.median(np.linalg.norm(np.cross(found, axis, axis=0), axis=0)) < 1e-5


def test_nothing_seen_has_no_axis():
    nothing = (np.zeros(3, np.float32), np.array([0, 40, 90], np.float32))
    axis, dn = solved(nothing, nothing, -15)
    assert not axis.any()
    assert not dn.any()


@pytest.mark.parametrize("tilt_deg", [0, 1.9, -1.9])
def test_a_tilt_too_small_is_refused_in_words(tilt_deg):
    with pytest.raises(EstimateError, match=r"expected views at least 2.0 deg apart"):
        solve_pair(np.ones((2, 1)), np.ones((2, 1)), tilt_deg)


def noisy(seen, rng, *, axis_deg, fraction):
    apparent, azimuth = seen
    n = apparent.size
    return apparent * (1 + fraction * rng.normal(size=n)), azimuth + axis_deg * rng.normal(size=n)


def test_noise_of_one_degree_and_two_percent_costs_two_degrees(fields):
    rng = np.random.default_rng(1)
    axis, dn = fields.random_fibres(50_000)
    flat = np.abs(axis[2]) < np.sin(np.deg2rad(60))
    seen = [noisy(fields.seen_under(axis, dn, g), rng, axis_deg=1, fraction=0.02) for g in (0, -15)]
    error = fields.axis_error_deg(solved(*seen, -15)[0], axis)[flat]
    assert 1.5 < np.median(error) < 2.3


def test_known_noise_keeps_flat_fibres_flat(fields):
    rng = np.random.default_rng(2)
    axis = np.repeat(np.array([[1.0], [0.005], [0.0]]), 4000, axis=1)
    p = [half_vectors(*fields.seen_under(axis, 4e-4, g)) for g in (0, -15)]
    p = [one + rng.normal(scale=4e-4, size=one.shape) for one in p]
    naive, careful = (axis_and_birefringence(solve_pair(*p, -15, noise=s)[0]) for s in (0, 4e-4))
    assert np.mean(naive[1] > 4e-3) > 0.2
    assert np.mean(careful[1] > 4e-3) < 0.01
