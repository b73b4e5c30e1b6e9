import numpy as np

from octflow.core.axial import doubled, undoubled
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
