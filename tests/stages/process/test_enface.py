"""Maps below the surface against plain loops."""

import numpy as np
import pytest

from octflow.stages.process.enface import axis_mean_over, depth_window, max_over, mean_over

SURFACE = np.array([[3, 30], [55, 59]], np.float32)


@pytest.fixture
def volume():
    return np.random.default_rng(0).normal(60, 5, size=(60, 2, 2)).astype(np.float32)


def lines(volume, offset_px=0, depth_px=10):
    """The samples of every window, one by one."""
    for y, x in np.ndindex(2, 2):
        first = int(SURFACE[y, x]) + offset_px
        wanted = [z for z in range(first, first + depth_px) if 0 <= z < len(volume)]
        yield (y, x), volume[wanted, y, x].astype(float)


def test_windows_begin_at_the_surface_and_end_with_the_volume():
    start, stop = depth_window(SURFACE, offset_px=2, depth_px=10, n_z=60)
    assert start.tolist() == [[5, 32], [57, 59]]
    assert stop.tolist() == [[15, 42], [60, 60]]


def test_windows_above_the_volume_are_clipped():
    start, stop = depth_window(SURFACE, offset_px=-6, depth_px=10, n_z=60)
    assert start.tolist() == [[0, 24], [49, 53]]
    assert stop.tolist() == [[7, 34], [59, 60]]


@pytest.mark.parametrize(("measure", "oracle"), [(mean_over, np.mean), (max_over, np.max)])
def test_scalars_are_those_of_the_window(volume, measure, oracle):
    bounds = depth_window(SURFACE, offset_px=0, depth_px=10, n_z=60)
    found = measure(volume, *bounds)
    for where, line in lines(volume):
        assert found[where] == pytest.approx(oracle(line), rel=1e-6)


def test_axes_are_averaged_as_doubled_angles():
    axis_deg = np.random.default_rng(1).uniform(-90, 90, size=(60, 2, 2)).astype(np.float32)
    found = axis_mean_over(axis_deg, *depth_window(SURFACE, offset_px=0, depth_px=10, n_z=60))
    for where, line in lines(axis_deg):
        doubled = np.exp(2j * np.deg2rad(line)).sum()
        assert found[where] == pytest.approx(np.rad2deg(np.angle(doubled)) / 2, abs=1e-3)


@pytest.mark.parametrize(("axes", "expected"), [((10, 20), 15), ((80, -80), 90), ((90, 90), 90)])
def test_golden_axis_means(axes, expected):
    axis_deg = np.array(axes, np.float32)[:, None, None]
    found = axis_mean_over(axis_deg, np.array([[0]]), np.array([[2]]))
    assert found.item() == pytest.approx(expected, abs=1e-5)
