"""Birefringence against known slopes."""

import numpy as np
import pytest

from octflow.stages.process.birefringence import birefringence

FIRST, LAST = np.array([[5]]), np.array([[45]])


def fitted(line, start=FIRST, stop=LAST):
    volume = np.asarray(line, np.float32)[:, None, None]
    return birefringence(volume, start, stop, 1.3, 2.5).item()


def test_the_golden_slope():
    assert fitted(np.arange(60.0)) == pytest.approx(1.444444e-3, rel=1e-6)


def test_a_known_birefringence_is_recovered():
    depth_um = 2.5 * np.arange(60)
    retardance_deg = 360 * 4e-4 * depth_um / 1.3 + 7
    assert fitted(retardance_deg) == pytest.approx(4e-4, rel=1e-5)


def test_a_falling_retardance_is_negative():
    assert fitted(80 - np.arange(60.0)) == pytest.approx(-1.444444e-3, rel=1e-6)


def test_noise_is_fitted_in_the_least_squares_sense():
    line = np.arange(60) + np.random.default_rng(0).normal(0, 5, 60)
    slope = np.polyfit(np.arange(5, 45), line[5:45].astype(np.float32), 1)[0]
    assert fitted(line) == pytest.approx(slope / 360 * 1.3 / 2.5, rel=1e-6)


def test_samples_outside_the_window_do_not_count():
    line = np.arange(60.0)
    line[:5] = line[45:] = 1e6
    assert fitted(line) == pytest.approx(1.444444e-3, rel=1e-6)


def test_gaps_are_left_out():
    line = np.arange(60.0)
    line[[10, 20, 21]] = np.nan
    assert fitted(line) == pytest.approx(1.444444e-3, rel=1e-6)


def test_two_samples_are_no_slope():
    assert fitted(np.arange(60.0), stop=np.array([[7]])) == 0
    assert fitted(np.arange(60.0), stop=np.array([[8]])) != 0
