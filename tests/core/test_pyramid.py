import numpy as np
import pytest

from octflow.core.axial import axis_mean
from octflow.core.pyramid import halved, halved_axial


def cells(volume):
    shape = tuple(-(-n // 2) for n in volume.shape)
    for z, y, x in np.ndindex(*shape):
        cell = volume[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        yield (z, y, x), cell[np.isfinite(cell)]


@pytest.mark.parametrize("shape", [(4, 6, 8), (3, 5, 7), (1, 4, 5)])
def test_half_is_the_mean_of_what_is_there(shape):
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    volume[0, :3, :3] = np.nan
    half = halved(volume)
    for where, values in cells(volume):
        assert half[where] == pytest.approx(values.mean() if values.size else np.nan, nan_ok=True)


def test_half_of_axis_angles_is_their_axial_mean():
    axes = np.random.default_rng(1).uniform(-90, 90, (3, 4, 5)).astype(np.float32)
    axes[2, 3, 4] = np.nan
    half = halved_axial(axes)
    for where, values in cells(axes):
        expected = axis_mean(values) if values.size else np.nan
        assert half[where] == pytest.approx(float(expected), abs=1e-2, nan_ok=True)


def test_the_type_stays_float32():
    volume = np.zeros((2, 2, 2), np.float32)
    assert halved(volume).dtype == halved_axial(volume).dtype == np.float32
