"""Averages over like pixels: against their definition, and by what they leave and take away."""

import numpy as np
import pytest

from octflow.core.axial import axis_difference, doubled
from octflow.stages.register import adaptive
from octflow.stages.register.adaptive import average_alike, radii_px, step_of
from octflow.stages.register.axis3d import half_vectors
from octflow.stages.register.fibres import View, fibre_field
from octflow.stages.register.smoothing import Smoothing, averaged_views, pixels_needed

NOISE, DN, TILTS_DEG = 3e-3, 1e-3, (0, -15)


def view(fields, axis, tilt_deg, seed, noise=NOISE):
    """What a view sees of axes (3, Y, X), with noise of p."""
    p = half_vectors(*fields.seen_under(axis, np.full(axis.shape[1:], DN), tilt_deg))
    p += noise * np.random.default_rng(seed).normal(size=p.shape)
    apparent, azimuth = np.sum(p**2, axis=0), np.rad2deg(np.arctan(p[1] / p[0]))
    maps = apparent.astype(np.float32), azimuth.astype(np.float32)
    return View(f"{tilt_deg}", tilt_deg, maps[0], *maps, np.ones(apparent.shape, bool))


def views_of(fields, axis, noise=NOISE):
    return [view(fields, axis, g, i, noise) for i, g in enumerate(TILTS_DEG)]


def uniform(shape, azimuth_deg=30, inclination_deg=20):
    phi, alpha = np.deg2rad([azimuth_deg, inclination_deg])
    axis = [np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)]
    return np.broadcast_to(np.array(axis)[:, None, None], (3, *shape))


def two_halves(shape, *, columns):
    axis = uniform(shape).copy()
    axis[:, :, columns:] = uniform(shape, -50, -20)[:, :, columns:]
    return axis


def dyads_of(views):
    every = [[one.birefringence * c for c in doubled(one.axis_deg)] for one in views]
    return np.array(every, np.float32)


def by_definition(dyads, code, radius, noise, likeness):
    """One step from single pixels, with complex numbers and loops."""
    d = dyads[:, 0] + 1j * dyads[:, 1].astype(float)
    p, (n_y, n_x) = np.sqrt(d), code.shape
    averages, share = np.zeros_like(d), np.ones(code.shape)
    for y, x in np.ndindex(n_y, n_x):
        weights = np.zeros(code.shape)
        for v, u in np.ndindex(n_y, n_x):
            near = 1 - ((y - v) ** 2 + (x - u) ** 2) / radius**2
            q, o = p[:, y, x], p[:, v, u]
            apart = np.sum(np.minimum(np.abs(q - o), np.abs(q + o)) ** 2)
            alike = 1 - apart / (likeness * noise**2)
            weights[v, u] = max(near, 0) * max(alike, 0) * (code[y, x] == code[v, u])
        averages[:, y, x] = np.sum(weights * d, axis=(1, 2)) / weights.sum()
        share[y, x] = np.sum(weights**2) / weights.sum() ** 2
    return np.stack([averages.real, averages.imag], axis=1), share


def test_a_step_is_what_its_definition_says(fields):
    axis = fields.random_fibres(9 * 11)[0].reshape(3, 9, 11)
    dyads = dyads_of(views_of(fields, axis))
    code = np.full((9, 11), 3, np.float32)
    code[:3, 5:] = 1
    dyads[1, :, :3, 5:] = 0
    found, share = average_alike(
        dyads, code, [step_of(3.2)], NOISE, root_weights=np.ones(2), lines=(0, 9)
    )
    expected, expected_share = by_definition(dyads, code, 3.2, NOISE, adaptive.LIKENESS)
    assert 0.1 < np.median(expected_share) < 0.9
    np.testing.assert_allclose(found, expected, atol=2e-8)
    np.testing.assert_allclose(share, expected_share, rtol=2e-3)


def test_the_second_step_compares_averages_by_what_noise_they_have_left(fields):
    dyads = dyads_of(views_of(fields, two_halves((1, 40), columns=20)))
    code = np.full((1, 40), 3, np.float32)
    steps = [step_of(1.5), step_of(4)]
    found, share = average_alike(dyads, code, steps, NOISE, root_weights=np.ones(2), lines=(0, 1))
    first, left = average_alike(
        dyads, code, steps[:1], NOISE, root_weights=np.ones(2), lines=(0, 1)
    )
    p = np.sqrt(first[:, 0, 0] + 1j * first[:, 1, 0].astype(float))
    for x in (10, 18, 21):
        near = np.maximum(1 - (np.arange(40) - x) ** 2 / 16, 0)
        apart = np.minimum(np.abs(p - p[:, [x]]), np.abs(p + p[:, [x]])) ** 2
        alike = 1 - apart.sum(axis=0) / (adaptive.LIKENESS * NOISE**2 * left[0, x])
        weights = near * np.maximum(alike, 0)
        assert share[0, x] == pytest.approx(np.sum(weights**2) / weights.sum() ** 2, rel=1e-3)
        mean = np.sum(weights * dyads[:, :, 0], axis=2) / weights.sum()
        np.testing.assert_allclose(found[:, :, 0, x], mean, atol=1e-8)


def test_uniform_tissue_is_averaged_as_if_by_plain_weights(fields):
    views = views_of(fields, uniform((120, 120)))
    averaged = averaged_views(views, (1, 1), Smoothing(radius_px=8), noise=NOISE)
    inner = slice(20, -20), slice(20, -20)
    weights = step_of(8).weights
    plain = np.sum(weights**2) / np.sum(weights) ** 2
    assert np.median(averaged.share[inner]) == pytest.approx(plain, rel=0.1)


def test_what_is_left_of_the_noise_is_what_the_share_says(fields):
    axis = uniform((200, 200))
    averaged = averaged_views(views_of(fields, axis), (1, 1), Smoothing(radius_px=6), noise=NOISE)
    p = half_vectors(averaged.views[0].birefringence, averaged.views[0].axis_deg)
    observed = np.std(p[:, 20:-20, 20:-20], axis=(1, 2))
    predicted = NOISE * np.sqrt(np.mean(averaged.share[20:-20, 20:-20]))
    np.testing.assert_allclose(observed, predicted, rtol=0.15)


@pytest.mark.parametrize("inclination_deg", [0, 60])
def test_noise_does_not_raise_the_birefringence_that_is_averaged(fields, inclination_deg):
    axis = uniform((150, 150), 30, inclination_deg)
    averaged = averaged_views(views_of(fields, axis), (1, 1), Smoothing(), noise=NOISE)
    true, _ = fields.seen_under(axis, DN, 0)
    raw = np.mean(views_of(fields, axis)[0].birefringence)
    assert raw - true[0, 0] == pytest.approx(2 * NOISE**2, rel=0.2)
    assert np.mean(averaged.views[0].birefringence) == pytest.approx(true[0, 0], rel=0.015)


def test_tissues_are_not_mixed_across_their_rim(fields):
    axis = two_halves((100, 100), columns=50)
    averaged = averaged_views(views_of(fields, axis), (1, 1), Smoothing(), noise=NOISE)
    truth = fields.seen_under(axis, DN, 0)[1]
    error = np.abs(axis_difference(averaged.views[0].axis_deg, truth))
    at_rim, inside = error[:, 47:53], error[20:-20, 15:35]
    assert np.percentile(at_rim, 95) < 1.7 * np.percentile(inside, 95)
    assert np.median(averaged.share[:, 49:51]) < 3 * np.median(averaged.share[:, 20:30])


def test_a_rim_that_only_depth_tells_is_found_with_the_tilted_view(fields):
    axis = uniform((100, 100), 0, 35).copy()
    axis[:, :, 50:] = uniform((100, 100), 0, -35)[:, :, 50:]
    views = views_of(fields, axis, noise=1e-3)
    averaged = averaged_views(views, (1, 1), Smoothing(), noise=1e-3)
    field = fibre_field(averaged.views, (1, 1), share=averaged.share)
    error = fields.axis_error_deg(field.axis, axis)
    assert np.percentile(error[:, 46:54], 95) < 5


def test_maps_without_noise_are_left_as_they_are(fields):
    axis = fields.random_fibres(30 * 30)[0].reshape(3, 30, 30)
    views = views_of(fields, axis, noise=0)
    averaged = averaged_views(views, (1, 1), Smoothing(), noise=0.0)
    assert averaged.share is None
    np.testing.assert_array_equal(averaged.views[0].birefringence, views[0].birefringence)


@pytest.mark.parametrize("threads", [2, 3])
def test_blocks_and_threads_do_not_show(fields, threads, monkeypatch):
    axis = fields.random_fibres(300 * 40)[0].reshape(3, 300, 40)
    views = views_of(fields, axis)
    one, more = (averaged_views(views, (1, 1), Smoothing(), threads=n) for n in (1, threads))
    monkeypatch.setattr("octflow.stages.register.blocks.LINES", 300)
    whole = averaged_views(views, (1, 1), Smoothing())
    for other in (more, whole):
        np.testing.assert_array_equal(other.share, one.share)
        for a, b in zip(other.views, one.views, strict=True):
            np.testing.assert_array_equal(a.birefringence, b.birefringence)
            np.testing.assert_array_equal(a.axis_deg, b.axis_deg)


def test_fields_are_the_same_on_any_number_of_threads(fields):
    axis = fields.random_fibres(300 * 20)[0].reshape(3, 300, 20)
    averaged = averaged_views(views_of(fields, axis), (1, 1), Smoothing())
    one, two = (
        fibre_field(averaged.views, (1, 1), share=averaged.share, threads=n) for n in (1, 2)
    )
    assert one.noise == two.noise
    for name in ("axis", "birefringence", "misfit", "uncertainty_deg"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_holes_do_not_leak_into_their_surroundings(fields):
    views = views_of(fields, uniform((60, 60)))
    hole = np.zeros((60, 60), bool)
    hole[20:30, 20:30] = True
    for one in views:
        one.birefringence[hole], one.axis_deg[hole] = np.nan, np.nan
        one.valid[hole] = False
    averaged = averaged_views(views, (1, 1), Smoothing(), noise=NOISE)
    around = averaged.views[0].birefringence[15:35, 15:35][~hole[15:35, 15:35]]
    truth, _ = fields.seen_under(uniform((1, 1)), DN, 0)
    np.testing.assert_allclose(around, truth[0, 0], rtol=0.15)
    assert not averaged.views[0].birefringence[hole].any()


def test_pixels_are_counted_from_the_noise_in_depth(fields):
    views = views_of(fields, uniform((50, 50), 0, 0), noise=0)
    apparent = (DN + DN * np.cos(np.deg2rad(15)) ** 2) / 2
    depth = 2 / np.sin(np.deg2rad(15)) ** 2 - 1
    goal = np.deg2rad(2.0)
    expected = NOISE**2 * depth / apparent / goal**2
    assert pixels_needed(views, (1, 1), NOISE, 2.0) == pytest.approx(expected, rel=1e-3)


def test_the_last_radius_averages_over_the_pixels_that_are_asked_for():
    weights = step_of(radii_px(100, 50)[-1]).weights
    assert np.sum(weights) ** 2 / np.sum(weights**2) == pytest.approx(100, rel=0.05)


def test_a_lone_view_is_averaged_with_the_gaussian(fields):
    [one] = views_of(fields, uniform((40, 40)))[:1]
    adaptive_, gaussian = (
        averaged_views([one], (1,), Smoothing(kind=kind)) for kind in ("adaptive", "gaussian")
    )
    np.testing.assert_array_equal(adaptive_.views[0].birefringence, gaussian.views[0].birefringence)
    assert np.std(gaussian.views[0].birefringence) < 0.5 * np.std(one.birefringence)
