import numpy as np
import pytest
from numba import njit

from octflow.core.axial import axis_difference, doubled, undoubled
from octflow.core.doubling import axis_of, doubled_of

AXES = np.random.default_rng(0).uniform(-400, 400, 5000).astype(np.float32)


@njit
def vectors_of(axes):
    return [doubled_of(axis) for axis in axes]


@njit(error_model="numpy")
def axes_of(vectors):
    return [axis_of(cos_2a, sin_2a) for cos_2a, sin_2a in vectors]


def test_vectors_are_those_of_the_doubled_angle():
    expected = np.transpose(doubled(AXES.astype(np.float64)))
    assert np.abs(np.array(vectors_of(AXES)) - expected).max() < 2e-6


def test_between_90_degrees_they_are_right_to_the_last_digits():
    axes = np.linspace(-90, 90, 3601, dtype=np.float32)
    expected = np.transpose(doubled(axes.astype(np.float64)))
    assert np.abs(np.array(vectors_of(axes)) - expected).max() < 2e-7


def test_axes_are_half_the_angle_of_vectors_of_any_length():
    vectors = np.random.default_rng(1).normal(0, 5, (5000, 2)).astype(np.float32)
    expected = undoubled(*vectors.astype(np.float64).T)
    found = np.array(axes_of(vectors))
    assert np.abs(axis_difference(found, expected)).max() < 2e-5
    assert found.min() > -90
    assert found.max() <= 90


@pytest.mark.parametrize("axis", [-45, 0, 45, 90])
def test_axes_along_the_corners_come_back_exactly(axis):
    (vector,) = vectors_of(np.array([axis], np.float32))
    (found,) = axes_of(np.array([vector], np.float32))
    assert found == pytest.approx(axis, abs=1e-5)


def test_what_is_no_number_stays_none():
    assert np.isnan(vectors_of(np.array([np.nan], np.float32))).all()
