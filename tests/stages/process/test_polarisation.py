"""The vectors that turn with the retardance, against their definition in double precision."""

import numpy as np
import pytest

from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.polarisation import polarisation


@pytest.fixture
def volumes():
    rng = np.random.default_rng(1)
    shape = (30, 2, 9)
    low, high = np.array([40, 0, -90]), np.array([110, 90, 90])
    drawn = (rng.uniform(a, b, shape) for a, b in zip(low, high, strict=True))
    return Contrasts(*(values.astype(np.float32) for values in drawn))


def vectors(volumes, start, stop, y=1, x=2, n_lanes=5):
    lines = np.empty((4, 12, n_lanes))
    return polarisation(volumes, start, stop, y, x, lines), lines


def test_vectors_are_those_of_the_definition(volumes):
    start, stop = np.full(9, 10), np.full(9, 22)
    counts, lines = vectors(volumes, start, stop)
    decibel, double, axis = (v[10:22, 1, 2:7].astype(float) for v in volumes)
    intensity = 10 ** ((decibel - decibel.max(axis=0)) / 10)
    across = intensity * np.sin(np.deg2rad(2 * double)) * np.exp(2j * np.deg2rad(axis))
    expected = [intensity * np.cos(np.deg2rad(2 * double)), across.real, across.imag, intensity]
    np.testing.assert_allclose(lines, expected, rtol=0, atol=1e-10)
    assert counts.tolist() == [12] * 5


def test_every_line_has_its_own_window(volumes):
    start = np.array([0, 0, 3, 7, 1, 5, 9, 0, 0])
    stop = start + np.array([12, 12, 4, 12, 12, 12, 0, 12, 12])
    counts, lines = vectors(volumes, start, stop)
    assert counts.tolist() == [4, 12, 12, 12, 0]
    assert np.abs(lines[:, 4:, 0]).max() < 1e-300
    alone = vectors(volumes, start, stop, x=3, n_lanes=1)[1]
    np.testing.assert_array_equal(lines[:, :, 1:2], alone)


def test_what_follows_a_nan_is_dark(volumes):
    volumes.axis_deg[14, 1, 3] = np.nan
    counts, lines = vectors(volumes, np.full(9, 10), np.full(9, 22))
    assert counts.tolist() == [12, 4, 12, 12, 12]
    assert np.abs(lines[:, 4:, 1]).max() < 1e-300
    assert lines[3, :4, 1].min() > 1e-8
