import numpy as np
import pytest

from octflow.stages.stack.displacement import Displacement

SPACING_PX = 16.0


def quadratic(x, y):
    """A displacement of second degree, which cubic convolution reproduces between its nodes."""
    return 1 + 0.02 * x - 1e-3 * x * y + 4e-4 * y**2, -2 + 3e-4 * x**2 - 0.01 * y


@pytest.fixture(scope="module")
def bent():
    y, x = np.mgrid[-48:97:16, -32:129:16].astype(float)
    return Displacement(np.array(quadratic(x, y)), (-32.0, -48.0), SPACING_PX)


def test_between_the_nodes_a_smooth_displacement_is_met(bent):
    y, x = np.mgrid[-20:60, -10:90].astype(float)
    expected = quadratic(x, y)
    np.testing.assert_allclose(bent.over(slice(-20, 60), slice(-10, 90)), expected, atol=1e-9)
    np.testing.assert_allclose(bent.at(x + 0.5, y - 0.25), quadratic(x + 0.5, y - 0.25), atol=1e-9)


def test_the_local_rotation_is_that_of_the_slopes(bent):
    y, x = np.mgrid[10:14, 20:25].astype(float)
    xx, xy = 0.02 - 1e-3 * y, -1e-3 * x + 8e-4 * y
    yx, yy = 6e-4 * x, -0.01
    expected = np.rad2deg(np.arctan2(yx - xy, 2 + xx + yy))
    found = bent.turn_deg(slice(10, 14), slice(20, 25))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_no_displacement_exceeds_the_bound():
    wild = np.random.default_rng(0).choice([-1.0, 1.0], size=(2, 6, 7))
    field = Displacement(wild, (0.0, 0.0), 8.0)
    for along, bound in zip(
        field.over(slice(-9, 60), slice(-9, 70)), field.largest_px, strict=True
    ):
        assert np.abs(along).max() <= bound
