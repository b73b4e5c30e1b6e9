import numpy as np
import pytest

from octflow.core.axial import axis_difference, doubled, undoubled
from octflow.core.circle import doubled_vector, half_angle_deg


def test_doubled_vectors_are_those_of_double_precision():
    axes = np.append(np.linspace(-90, 90, 4001), np.nan).astype(np.float32)
    found = np.array([doubled_vector(axis) for axis in axes])
    np.testing.assert_allclose(found.T, doubled(axes.astype(float)), atol=1e-6)


def test_half_angles_are_those_of_double_precision():
    angle = np.linspace(-np.pi, np.pi, 4001)
    real, imag = (2.5 * part(angle).astype(np.float32) for part in (np.cos, np.sin))
    found = np.array([half_angle_deg(*one) for one in zip(real, imag, strict=True)])
    np.testing.assert_allclose(found, undoubled(real.astype(float), imag.astype(float)), atol=2e-5)


def test_half_angle_of_nothing_is_zero():
    assert half_angle_deg(np.float32(0), np.float32(0)) == 0


def test_axes_come_back_from_vectors_of_any_length():
    vectors = np.random.default_rng(1).normal(0, 5, (4000, 2)).astype(np.float32)
    found = np.array([half_angle_deg(*vector) for vector in vectors])
    expected = undoubled(*vectors.astype(np.float64).T)
    assert np.abs(axis_difference(found, expected)).max() < 2e-5
    assert found.min() > -90
    assert found.max() <= 90


@pytest.mark.parametrize("axis", [-45, 0, 45, 90])
def test_axes_along_the_corners_come_back(axis):
    assert half_angle_deg(*doubled_vector(np.float32(axis))) == pytest.approx(axis, abs=1e-4)
