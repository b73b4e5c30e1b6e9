"""Depth profiles of 16 A-lines at once, against the sum in double precision."""

import numpy as np
import pytest

from octflow.core.spectra.fft import Recipe, fill_profiles, workspace

N = 2048
BINS = np.arange(24, 1024)


def recipe(rng):
    return Recipe(
        before=np.sort(rng.integers(0, N - 1, N)),
        weight=rng.random(N).astype(np.float32),
        median=rng.normal(2000, 100, N).astype(np.float32),
        phasor=np.exp(2j * np.pi * rng.random(N)).astype(np.complex64),
    )


def summed(samples, chosen):
    """Every bin is a sum of 2048 terms: a product of matrices in double precision."""
    before, weight, median, phasor = (part.astype(complex) for part in chosen)
    rows = before.real.astype(int)
    value = (1 - weight)[:, None] * samples[rows] + weight[:, None] * samples[rows + 1]
    kernel = np.exp(2j * np.pi * (np.outer(BINS, np.arange(N)) % N) / N)
    return kernel @ ((value - median[:, None]) * phasor[:, None])


@pytest.mark.parametrize("n_x", [1, 5, 15, 16, 17, 32, 35])
def test_every_bin_is_the_sum_of_its_terms(n_x):
    rng = np.random.default_rng(n_x)
    samples = rng.integers(0, 4096, (N, n_x + -n_x % 16)).astype(np.uint16)
    profiles, chosen = np.empty((1000, n_x), np.complex64), recipe(rng)
    fill_profiles(samples, chosen, workspace(), profiles)
    expected = summed(samples[:, :n_x].astype(float), chosen)
    error = np.linalg.norm(profiles - expected) / np.linalg.norm(expected)
    assert error < 5e-7
    np.testing.assert_allclose(profiles, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("bin_number", [24, 25, 255, 256, 512, 1000, 1023])
def test_a_wave_lies_in_its_bin_with_its_phase(bin_number):
    samples = np.full((N, 16), 2001, np.uint16)
    wave = np.exp(1j * (0.7 - 2 * np.pi * bin_number * np.arange(N) / N)).astype(np.complex64)
    flat = Recipe(np.arange(N) % (N - 1), np.zeros(N, np.float32), np.full(N, 2000, "f4"), wave)
    profiles = np.empty((1000, 16), np.complex64)
    fill_profiles(samples, flat, workspace(), profiles)
    expected = np.zeros(1000, complex)
    expected[bin_number - 24] = N * np.exp(0.7j)
    np.testing.assert_allclose(profiles[:, 3], expected, atol=2e-3)


def test_only_the_given_part_of_memory_is_filled():
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 4096, (N, 32)).astype(np.uint16)
    memory, alone = np.full((1000, 3, 20), 7, np.complex64), np.empty((1000, 20), np.complex64)
    chosen = recipe(rng)
    fill_profiles(samples, chosen, workspace(), memory[:, 1])
    fill_profiles(samples, chosen, workspace(), alone)
    assert (memory[:, 1] == alone).all()
    assert (memory[:, ::2] == 7).all()


def test_neighbours_do_not_change_an_a_line():
    samples = np.random.default_rng(1).integers(0, 4096, (N, 48)).astype(np.uint16)
    chosen = recipe(np.random.default_rng(2))
    profiles = [np.empty((1000, n), np.complex64) for n in (48, 19)]
    for filled in profiles:
        fill_profiles(samples, chosen, workspace(), filled)
    assert (profiles[0][:, :19] == profiles[1]).all()
