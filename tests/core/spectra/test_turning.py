"""Turning counts against NumPy's transposition."""

import numpy as np
import pytest

from octflow.core.spectra.turning import turn, turned_samples


@pytest.mark.parametrize("n_x", [1, 15, 16, 17, 50])
def test_samples_are_turned_and_filled_up_with_the_last_a_line(n_x):
    lines = np.random.default_rng(n_x).integers(0, 65536, (n_x, 96)).astype(np.uint16)
    samples = turned_samples(96, n_x)
    turn(lines, samples)
    assert samples.shape[1] % 16 == 0
    assert (samples[:, :n_x] == lines.T).all()
    assert (samples[:, n_x:] == lines[-1][:, None]).all()
