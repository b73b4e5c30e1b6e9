import numpy as np
import pytest

from octflow.core.axial import axis_difference, axis_mean, doubled, undoubled, wrap_axis


@pytest.mark.parametrize(("axes", "mean"), [([10, 20], 15), ([80, -80], 90), ([-90, 90], 90)])
def test_mean_of_axes_is_the_golden_value(axes, mean):
    assert axis_mean(axes) == pytest.approx(mean)


def test_wrapped_axes_lie_in_the_half_open_interval_and_keep_their_axis():
    axes = np.linspace(-720, 720, 1441)
    wrapped = wrap_axis(axes)
    assert wrapped.min() > -90
    assert wrapped.max() == 90
    np.testing.assert_allclose(np.sin(np.deg2rad(2 * (axes - wrapped))), 0, atol=1e-12)


def test_difference_is_the_shortest_way_round():
    assert axis_difference(89, -89) == pytest.approx(-2)
    assert axis_difference(-89, 89) == pytest.approx(2)


def test_doubling_and_undoing_it_gives_the_axis_back():
    axes = np.linspace(-89.5, 90, 360)
    np.testing.assert_allclose(undoubled(*doubled(axes)), axes, atol=1e-9)


def test_float32_stays_float32():
    assert axis_mean(np.float32([[1, 2], [3, 4]]), axis=0).dtype == np.float32
