"""Minima of the reference's cost, against a slow minimiser of the same cost written out."""

import numpy as np
import pytest
from scipy.optimize import minimize

from octflow.stages.register.axis3d import half_vectors
from octflow.stages.register.fibres import View, fibre_field
from octflow.stages.register.reference import refine
from octflow.stages.register.views import solve_views

TILTS_DEG = (0, -15)
GOLDEN = {
    -15: [
        ((20, 20, 2), (20, 1.766044, 18.848867, 1.979264)),
        ((60, 20, 2), (60, 1.766044, 56.318403, 1.912838)),
    ],
    10: [((-35, -30, 1), (-35, 0.75, -32.309846, 0.863679))],
}


def seen_vector(u, tilt_deg):
    """The vector r that a tilted view is to see of u, in space."""
    g = np.deg2rad(tilt_deg)
    beam = np.array([np.sin(g), 0, np.cos(g)])
    along = beam @ u
    return (u - along * beam) * np.sqrt(max(1 - along**2 / (u @ u), 0))


def in_space(apparent, azimuth_deg, tilt_deg):
    """What a view measures, in space."""
    g, phi = np.deg2rad([tilt_deg, azimuth_deg])
    across = np.array([np.cos(phi) * np.cos(g), np.sin(phi), -np.cos(phi) * np.sin(g)])
    return apparent * across


def cost_of(u, measured, tilts=TILTS_DEG):
    """The cost with the signs of what is measured that fit best."""
    total = 0.0
    for (apparent, azimuth), tilt_deg in zip(measured, tilts, strict=True):
        r, expected = in_space(apparent, azimuth, tilt_deg), seen_vector(u, tilt_deg)
        total += min(np.sum((r - expected) ** 2), np.sum((r + expected) ** 2))
    return total


def measured_of(p):
    """Apparent birefringence and azimuth (V, 2, n) from p."""
    return np.stack([np.sum(p**2, axis=1), np.rad2deg(np.arctan(p[:, 1] / p[:, 0]))], axis=1)


def u_of(w):
    return w * np.linalg.norm(w, axis=0)


def refined(p, tilts=TILTS_DEG, weights=None):
    w, _ = solve_views(p, tilts)
    start, every = w.copy(), tuple(range(len(tilts)))
    here = np.ones(p.shape[2:], bool)
    refine(p, here, every, tilts, weights=weights or (1,) * len(tilts), w=w)
    return start, w


def noisy(fields, part, n=60, tilts=TILTS_DEG):
    axis, _ = fields.random_fibres(n, seed=3)
    clean = np.stack([half_vectors(*fields.seen_under(axis, np.ones(n), g)) for g in tilts])
    return clean + part * np.random.default_rng(1).normal(size=clean.shape)


@pytest.mark.parametrize("part", [0.003, 0.03])
def test_no_minimiser_of_the_cost_finds_less_nearby(fields, part):
    p = noisy(fields, part)
    start, w = refined(p)
    measured, scale = measured_of(p), part**2
    for i in range(w.shape[1]):
        seen = measured[:, :, i]
        options = {"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000, "maxfev": 4000}
        slow = minimize(cost_of, u_of(start)[:, i], (seen,), method="Nelder-Mead", options=options)
        assert cost_of(u_of(w)[:, i], seen) <= slow.fun + 1e-3 * scale


def test_where_the_minimum_is_narrow_the_axis_is_that_of_the_minimiser(fields):
    p = noisy(fields, 0.003)
    start, w = refined(p)
    clear = np.abs(p[0, 1]) > 0.3
    measured, gaps = measured_of(p), []
    for i in np.flatnonzero(clear):
        options = {"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000, "maxfev": 4000}
        slow = minimize(
            cost_of, u_of(start)[:, i], (measured[:, :, i],), method="Nelder-Mead", options=options
        )
        gaps.append(
            fields.axis_error_deg(
                slow.x / np.linalg.norm(slow.x), w[:, i] / np.linalg.norm(w[:, i])
            )
        )
    moved = fields.axis_error_deg(*(a / np.linalg.norm(a, axis=0) for a in (start, w)))
    assert np.max(gaps) < 0.02
    assert np.median(moved) > 0.02


def test_the_cost_is_never_raised(fields):
    p = noisy(fields, 0.2, 400)
    start, w = refined(p)
    measured = measured_of(p)
    before, after = (
        np.array([cost_of(u_of(one)[:, i], measured[:, :, i]) for i in range(400)])
        for one in (start, w)
    )
    assert np.all(after <= before * (1 + 1e-9) + 1e-12)
    assert np.median(after / before) < 0.9


@pytest.mark.parametrize("tilt_deg", [-15, 10])
def test_golden_fibres_stay_what_they_are(tilt_deg):
    for (azimuth, inclination, dn), (phi_n, b_n, phi_x, b_x) in GOLDEN[tilt_deg]:
        p = np.stack([half_vectors(*np.array([[b], [a]])) for b, a in ((b_n, phi_n), (b_x, phi_x))])
        _, w = refined(p, (0, tilt_deg))
        phi, alpha = np.deg2rad([azimuth, inclination])
        flat = np.cos(alpha)
        axis = [flat * np.cos(phi), flat * np.sin(phi), np.sin(alpha)]
        np.testing.assert_allclose(w[:, 0], np.sqrt(dn) * np.array(axis), atol=1e-5)


def test_three_views_are_refined_by_their_weights(fields):
    tilts, weights = (0, -15, 15), (1.0, 0.5, 2.0)
    p = noisy(fields, 0.02, 40, tilts)
    start, w = refined(p, tilts, weights)
    measured = measured_of(p)

    def weighted(u, seen):
        every = [cost_of(u, [one], [g]) for one, g in zip(seen, tilts, strict=True)]
        return np.dot(weights, every)

    for i in range(40):
        slow = minimize(weighted, u_of(start)[:, i], (measured[:, :, i],), method="BFGS", tol=1e-10)
        assert weighted(u_of(w)[:, i], measured[:, :, i]) <= slow.fun + 1e-7


def test_the_mode_of_a_field_refines_it(fields):
    p = noisy(fields, 0.03).astype(np.float32)
    views = []
    for one, tilt_deg in zip(p, TILTS_DEG, strict=True):
        apparent, azimuth = measured_of(one[None])[0][:, None]
        views.append(View("", tilt_deg, apparent, apparent, azimuth, np.ones((1, 60), bool)))
    closed, reference = (fibre_field(views, (1, 1), mode=m) for m in ("closed", "reference"))
    _, w = refined(p.astype(float)[:, :, None])
    assert closed.noise == reference.noise
    gaps = fields.axis_error_deg(reference.axis[:, 0], (w / np.linalg.norm(w, axis=0))[:, 0])
    assert np.median(gaps) < 0.01
    assert np.median(fields.axis_error_deg(closed.axis, reference.axis)) > 0.1
