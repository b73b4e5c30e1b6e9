import numpy as np

from octflow.simulate.fields import draw_waves, stream


def field():
    x, y = np.meshgrid(np.arange(200.0), np.arange(100.0))
    return draw_waves(stream(1), 100.0, cycles=1.5).at(x, y, 1)


def test_field_stays_between_minus_one_and_one():
    assert np.abs(field()).max() < 1
    assert np.ptp(field()) > 0.5


def test_field_is_smooth():
    steepest = 2 * np.pi * 1.5 / 100 * np.sqrt(2 * 5)
    assert np.abs(np.diff(field(), axis=1)).max() < steepest


def test_streams_of_different_keys_are_unrelated():
    first, second = (stream(1, 2, n).standard_normal(10_000) for n in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
