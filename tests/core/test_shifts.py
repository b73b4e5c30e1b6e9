import numpy as np
import pytest

from octflow.core.shifts import CrossSpectrum, Window


def summed(first, second, shift_y, shift_x):
    """Sum first(p) second(p + shift) as defined, one pixel at a time."""
    total = 0.0
    for y, x in np.ndindex(first.shape):
        i, j = y + shift_y, x + shift_x
        if 0 <= i < second.shape[0] and 0 <= j < second.shape[1]:
            total += first[y, x] * second[i, j]
    return total


@pytest.mark.parametrize("window", [Window(0, 0, 2), Window(-6, 3, 2), Window(1, -8, 3)])
def test_correlation_at_whole_shifts_is_its_definition(window):
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=n).astype(np.float32) for n in ((11, 9), (8, 12)))
    found = CrossSpectrum.of(first, second, window).correlation(window, 2 * window.reach + 1)
    lags_y, lags_x = window.whole
    expected = [[summed(first, second, y, x) for x in lags_x] for y in lags_y]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_correlation_is_interpolated_between_pixels():
    x = np.arange(48)
    fade = np.hanning(48) * np.hanning(48)[:, None]
    first, second = (fade * np.cos(2 * np.pi * (x - d) / 12) for d in (0.0, 2.3))
    window = Window(0.0, 2.3, 1.0)
    spectrum = CrossSpectrum.of(first.astype(np.float32), second.astype(np.float32), window)
    found = spectrum.correlation(window, 21)
    assert abs(np.argmax(found[10]) - 10) <= 1
