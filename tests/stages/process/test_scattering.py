"""Scattering against an exponential decay."""

import numpy as np
import pytest

from octflow.stages.process.scattering import scattering


def test_an_exponential_decay_gives_its_coefficient():
    mus, step_mm = 8.0, 0.0025
    depth_mm = step_mm * np.arange(1500)
    intensity_db = (10 * np.log10(np.exp(-2 * mus * depth_mm)))[:, None, None].astype(np.float32)
    found = scattering(intensity_db, np.array([[20]]), np.array([[100]]), step_mm)
    # The sum below a sample is that of a geometric series, the coefficient its limit.
    expected = np.expm1(2 * mus * step_mm) / (2 * step_mm)
    assert found.item() == pytest.approx(expected, rel=1e-3)
    assert found.item() == pytest.approx(mus, rel=0.03)


def test_the_last_sample_has_nothing_below():
    flat = np.full((10, 1, 1), 60, np.float32)
    assert scattering(flat, np.array([[9]]), np.array([[10]]), 0.0025).item() == 0
    two = scattering(flat, np.array([[7]]), np.array([[10]]), 0.5).item()
    assert two == pytest.approx((1 / 2 + 1) / 2)


def test_noise_that_is_subtracted_leaves_the_coefficient():
    rng = np.random.default_rng(0)
    mus, step_mm, noise = 8.0, 0.0025, 1e-2
    clean = np.exp(-2 * mus * step_mm * np.arange(1000))[:, None, None]
    noisy_db = 10 * np.log10(clean + noise * rng.exponential(size=(1000, 40, 40)))
    start, stop = np.zeros((40, 40), np.int64), np.full((40, 40), 80)
    plain, cured = (
        np.median(scattering(noisy_db.astype(np.float32), start, stop, step_mm, floor))
        for floor in (None, np.full(1000, noise))
    )
    assert plain < 0.7 * mus
    assert cured == pytest.approx(mus, rel=0.05)
