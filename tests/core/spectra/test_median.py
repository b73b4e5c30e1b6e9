"""Medians found by counting, against sorting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octflow.core.spectra.median import fill_medians, middle_keys


@given(
    counts=st.lists(st.integers(0, 40) | st.integers(0, 2**31 - 2), min_size=1, max_size=60),
    guess=st.tuples(st.integers(0, 2**31 - 2), st.integers(0, 2**31 - 2)),
)
@settings(deadline=None)
def test_the_middle_ones_are_those_of_the_sorted_keys(counts, guess):
    lower, upper, _ = middle_keys(np.array(counts, np.int32), *map(np.int32, sorted(guess)))
    n, ordered = len(counts), sorted(counts)
    assert (lower, upper) == (ordered[(n - 1) // 2], ordered[n // 2])


@pytest.mark.parametrize("n_x", [1, 2, 199, 350])
@pytest.mark.parametrize("levels", [1, 4, 4096], ids=["equal", "ties", "distinct"])
def test_medians_are_those_of_interpolated_counts(n_x, levels):
    rng = np.random.default_rng(n_x)
    samples = rng.integers(0, levels, (64, n_x)).astype(np.uint16)
    before, weight = np.arange(63), rng.random(63).astype(np.float32)
    medians = np.empty(63, np.float32)
    fill_medians(samples, before, weight, n_x, medians)
    first, second = samples[:-1].astype(np.float32), samples[1:].astype(np.float32)
    values = (np.float32(1) - weight)[:, None] * first + weight[:, None] * second
    np.testing.assert_allclose(medians, np.median(values, axis=1), rtol=1e-6)
