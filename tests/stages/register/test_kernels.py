"""The compiled solutions against the formulas written out, array by array."""

from itertools import product

import numpy as np
import pytest

from octflow.stages.register.axis3d import SIGN_COST, half_vectors, projection_matrix, solve_pair
from octflow.stages.register.views import noise_of, solve_field, solve_views

NOISE = 4e-4
THREE = (0, -15, 15)


def pair_by_definition(first, second, tilt_deg, noise):
    g, same = np.deg2rad(tilt_deg), first[1] * second[1]
    sign = np.where(same < 0, -1, 1)
    if noise > 0:
        flat = np.where(first[0] * second[0] < 0, -1, 1)
        sign = np.where(2 * np.abs(same) < SIGN_COST * noise**2, flat, sign)
    w_z = (np.cos(g) * first[0] - sign * second[0]) / np.sin(g)
    cost = (first[1] - sign * second[1]) ** 2 / 2
    return np.stack([first[0], (first[1] + sign * second[1]) / 2, w_z]), cost


def views_by_definition(p, tilts, weights, noise):
    root = np.sqrt(np.asarray(weights, float))
    design = np.concatenate([r * projection_matrix(g) for r, g in zip(root, tilts, strict=True)])
    w, cost = [], []
    for signs in product((1, -1), repeat=len(tilts) - 1):
        seen = (p * (root * (1, *signs))[:, None, None]).reshape(2 * len(tilts), -1)
        w.append(np.linalg.lstsq(design, seen, rcond=None)[0])
        cost.append(np.sum((seen - design @ w[-1]) ** 2, axis=0))
    w, cost = np.array(w), np.array(cost)
    near = cost <= cost.min(axis=0) + SIGN_COST * noise**2
    best = np.argmin(np.where(near, np.sum(w**2, axis=1), np.inf), axis=0)
    pixels = np.arange(p.shape[2])
    w = w[best, :, pixels].T
    return np.where(w[0] < 0, -w, w), cost[best, pixels]


def noisy(fields, tilts, n=20_000):
    axis, dn = fields.random_fibres(n)
    clean = np.stack([half_vectors(*fields.seen_under(axis, dn, g)) for g in tilts])
    return clean + np.random.default_rng(4).normal(scale=NOISE, size=clean.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("noise", [0, NOISE])
def test_pairs_are_solved_as_defined(fields, noise, dtype):
    p = noisy(fields, (0, -15)).astype(dtype)
    w, cost = solve_pair(p[0], p[1], -15, noise=noise)
    expected, expected_cost = pair_by_definition(*p.astype(float), -15, noise)
    eps = np.finfo(dtype).eps
    assert w.dtype == dtype
    np.testing.assert_allclose(w, expected, rtol=4 * eps, atol=eps)
    np.testing.assert_allclose(cost, expected_cost, rtol=4 * eps, atol=eps**2)


@pytest.mark.parametrize("noise", [0, NOISE])
@pytest.mark.parametrize("tilts", [(-15, 15), THREE, (0, 10, -20, 30)])
def test_more_views_are_solved_as_defined(fields, tilts, noise):
    p, weights = noisy(fields, tilts), np.linspace(0.5, 1.5, len(tilts))
    w, cost = solve_views(p, tilts, weights=weights, noise=noise)
    expected, expected_cost = views_by_definition(p, tilts, weights, noise)
    np.testing.assert_allclose(w, expected, atol=1e-12)
    np.testing.assert_allclose(cost, expected_cost, atol=1e-14)


def test_a_field_is_solved_choice_by_choice_with_the_noise_of_the_largest(fields):
    p = noisy(fields, THREE, 3000)
    valid = np.random.default_rng(5).random((3, 3000)) < 0.7
    w, cost, noise = solve_field(p[:, :, None], valid[:, None], THREE)
    whole, pair = valid.all(axis=0), valid[0] & valid[2] & ~valid[1]
    plain = views_by_definition(p[:, :, whole], THREE, (1, 1, 1), 0)
    assert noise == pytest.approx(noise_of(plain[1], 3), rel=1e-9)
    expected, expected_cost = views_by_definition(p[:, :, whole], THREE, (1, 1, 1), noise)
    np.testing.assert_allclose(w[:, 0, whole], expected, atol=1e-12)
    np.testing.assert_allclose(cost[0, whole], expected_cost / 3, atol=1e-14)
    expected, _ = pair_by_definition(*p[::2][:, :, pair], 15, noise)
    np.testing.assert_allclose(w[:, 0, pair], expected, atol=1e-12)
    assert not w[:, 0, valid.sum(axis=0) < 2].any()


def test_a_product_of_zero_counts_as_one_sign():
    w, _ = solve_pair(np.array([[1.0], [0.0]]), np.array([[1.0], [0.5]]), -15)
    np.testing.assert_allclose(w[:2, 0], [1, 0.25])


def test_an_image_of_no_pixels_is_solved():
    assert solve_views(np.ones((3, 2, 0)), THREE)[0].shape == (3, 0)
