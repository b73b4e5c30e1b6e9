import numpy as np
import pytest

from octflow.core.errors import EstimateError
from octflow.stages.register.axis3d import axis_and_birefringence, half_vectors, solve_pair
from octflow.stages.register.views import noise_of, solve_field, solve_views

THREE = (0, -15, 15)


def projections(fields, axis, dn, tilts):
    return np.stack([half_vectors(*fields.seen_under(axis, dn, g)) for g in tilts])


@pytest.mark.parametrize("tilts", [(0, -15), THREE, (-15, 15), (0, 10, -20, 30)])
def test_least_squares_inverts_random_fibres(fields, tilts):
    axis, dn = fields.random_fibres(20_000)
    found, found_dn = axis_and_birefringence(
        solve_views(projections(fields, axis, dn, tilts), tilts)[0]
    )
    assert np.quantile(np.linalg.norm(np.cross(found, axis, axis=0), axis=0), 0.999) < 1e-6
    assert np.quantile(np.abs(found_dn / dn - 1), 0.999) < 1e-6


def test_two_views_give_the_closed_form_also_for_contradicting_data():
    p = np.abs(np.random.default_rng(0).normal(size=(2, 2, 500)))
    expected, expected_cost = solve_pair(p[0], p[1], -15)
    w, cost = solve_views(p, (0, -15))
    np.testing.assert_allclose(w, expected, atol=1e-9)
    np.testing.assert_allclose(cost, expected_cost, atol=1e-9)


def test_signs_of_projections_do_not_matter(fields):
    axis, dn = fields.random_fibres(2000)
    p = projections(fields, axis, dn, THREE)
    flips = np.random.default_rng(3).choice([-1, 1], size=(3, 1, 2000))
    np.testing.assert_allclose(
        np.abs(solve_views(p * flips, THREE)[0]), np.abs(solve_views(p, THREE)[0]), atol=1e-7
    )


def test_three_views_beat_two(fields):
    axis, dn = fields.random_fibres(20_000)
    clean = projections(fields, axis, dn, THREE)
    p = clean + np.random.default_rng(0).normal(scale=3e-4, size=clean.shape)
    two, three = (
        axis_and_birefringence(solve_views(p[:n], THREE[:n], noise=3e-4)[0])[0] for n in (2, 3)
    )
    errors = [np.median(fields.axis_error_deg(found, axis)) for found in (two, three)]
    assert errors[1] < 0.75 * errors[0]


def test_a_heavier_view_is_believed_more():
    p = np.array([[[1.0], [1.0]], [[1.0], [1.5]]])
    equal, heavy = (
        solve_views(p, (0, -15), weights=weights)[0][1, 0] for weights in ((1, 1), (1, 3))
    )
    assert equal == pytest.approx(1.25)
    assert heavy == pytest.approx((1.0 + 3 * 1.5) / 4)


@pytest.mark.parametrize("tilts", [(0, -15), THREE])
def test_noise_is_estimated_from_the_misfit(fields, tilts):
    axis, dn = fields.random_fibres(50_000)
    clean = projections(fields, axis, dn + 1e-3, tilts)
    p = clean + np.random.default_rng(0).normal(scale=3e-4, size=clean.shape)
    assert noise_of(solve_views(p, tilts)[1], len(tilts)) == pytest.approx(3e-4, rel=0.08)


def test_a_pixel_uses_the_views_that_see_it(fields):
    axis, dn = fields.random_fibres(4)
    p = projections(fields, axis, dn, THREE).reshape(3, 2, 1, 4)
    valid = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)[:, None]
    p = np.where(valid[:, None], p, 99)
    w, _, _ = solve_field(p, valid, THREE)
    found, found_dn = axis_and_birefringence(w[:, 0])
    np.testing.assert_allclose(found_dn, [*dn[:3], 0], rtol=1e-6)
    assert fields.axis_error_deg(found, axis)[:3].max() < 1e-4


def test_a_field_of_one_view_is_refused():
    with pytest.raises(EstimateError, match="deg apart"):
        solve_field(np.ones((1, 2, 1, 1)), np.ones((1, 1, 1), bool), (0,))
