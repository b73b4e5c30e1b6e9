import numpy as np
import pytest

from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.axis3d import half_vectors
from octflow.stages.register.fibres import View, fibre_field
from octflow.stages.register.uncertainty import Fibres, covariance, split

DN, NOISE, TRIALS = 1e-3, 2e-4, 2000
AZIMUTHS = (-85, -60, -30, -15, 15, 30, 60, 85)
INCLINATIONS = (-70, -40, 0, 40, 70)


def fibre(azimuth_deg, inclination_deg):
    phi, alpha = np.deg2rad([azimuth_deg, inclination_deg])
    return np.array([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])


CLASSES = np.stack([fibre(a, i) for a in AZIMUTHS for i in INCLINATIONS], axis=1)
AXES = np.repeat(CLASSES[:, :, None], TRIALS, axis=2)


def noisy_view(fields, tilt_deg, seed, noise=NOISE):
    """A view whose p has Gaussian noise; one class of fibres per line."""
    p = half_vectors(*fields.seen_under(AXES, DN, tilt_deg))
    p += noise * np.random.default_rng(seed).normal(size=p.shape)
    apparent, azimuth = np.sum(p**2, axis=0), np.rad2deg(np.arctan(p[1] / p[0]))
    return View(f"{tilt_deg}", tilt_deg, apparent, apparent, azimuth, apparent > 0)


def field_under(fields, tilts, noises=(NOISE,) * 3, weights=(1, 1, 1)):
    views = [noisy_view(fields, g, i, noises[i]) for i, g in enumerate(tilts)]
    return fibre_field(views, weights[: len(tilts)])


def rms(errors):
    return np.sqrt(np.mean(np.square(errors), axis=1))


def inclination_error_deg(found):
    (_, inclination), (_, true) = (azimuth_and_inclination(a) for a in (found, AXES))
    return np.rad2deg(inclination - true)


@pytest.fixture(scope="module", params=[(0, -15), (0, -15, 15), (-15, 20)])
def field(fields, request):
    return field_under(fields, request.param)


def test_predicted_error_of_the_axis_is_the_observed_one_in_every_class(fields, field):
    observed = rms(fields.axis_error_deg(field.axis, AXES))
    assert np.median(observed) > 0.5
    np.testing.assert_allclose(rms(field.uncertainty_deg) / observed, 1, atol=0.2)


def test_predicted_error_of_the_inclination_is_the_observed_one_in_every_class(field):
    observed = rms(inclination_error_deg(field.axis))
    np.testing.assert_allclose(rms(field.inclination_uncertainty_deg) / observed, 1, atol=0.2)


def test_weights_that_are_inverse_variances_predict_as_well(fields):
    field = field_under(fields, (0, -15, 15), (NOISE, NOISE, 3 * NOISE), (1, 1, 1 / 9))
    observed = rms(fields.axis_error_deg(field.axis, AXES))
    np.testing.assert_allclose(rms(field.uncertainty_deg) / observed, 1, atol=0.2)


def test_noise_that_is_given_is_propagated_in_place_of_the_misfit(fields):
    views = [noisy_view(fields, g, i, 0.0) for i, g in enumerate((0, -15))]
    field = fibre_field(views, (1, 1), noise=NOISE)
    g = np.deg2rad(15)
    level = INCLINATIONS.index(0)
    expected = np.rad2deg(NOISE * np.sqrt((1 + np.cos(g) ** 2) / np.sin(g) ** 2 / DN))
    np.testing.assert_allclose(field.inclination_uncertainty_deg[level], expected, rtol=1e-6)
    assert field.noise == NOISE


def test_depth_takes_one_over_the_sine_of_the_tilt():
    g = np.deg2rad(-15)
    expected = [1, 0.5, (1 + np.cos(g) ** 2) / np.sin(g) ** 2]
    np.testing.assert_allclose(covariance((0, -15)).diagonal(), expected)


def test_covariance_is_that_of_many_solutions():
    noise = np.random.default_rng(0).normal(size=(6, 200_000))
    design = np.array([[1, 0, 0], [0, 1, 0]] * 3, float)
    for i, g in enumerate(np.deg2rad([0, -15, 20])):
        design[2 * i, [0, 2]] = np.cos(g), -np.sin(g)
    found = np.cov(np.linalg.lstsq(design, noise, rcond=None)[0])
    np.testing.assert_allclose(covariance((0, -15, 20)), found, atol=0.05)


def test_an_uncertainty_beyond_that_of_nothing_is_never_predicted():
    w, to = np.full((3, 2), 1e-3), Fibres.empty((2,), np.dtype(float))
    split(w, np.array([True, False]), covariance((0, -15)), to)
    assert to.axis_deg[0] == pytest.approx(61.2, abs=0.1)
    assert to.inclination_deg[0] == pytest.approx(39.2, abs=0.1)
    assert np.isnan(to.axis_deg[1])


def test_a_vertical_fibre_errs_along_x_and_y():
    w, to = np.array([[0.0], [0.0], [1.0]]), Fibres.empty((1,), np.dtype(float))
    split(w, np.array([True]), 1e-4 * covariance((0, -15)), to)
    assert to.axis_deg[0] == pytest.approx(np.rad2deg(0.01 * np.sqrt(1.5)))
