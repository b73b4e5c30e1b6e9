"""A block of one kind of tissue."""

import numpy as np
import pytest

from octflow.simulate.uniform import uniform_jones


def mean_db(jones, *, first, last):
    return 10 * np.log10((np.abs(jones[:, first:last]) ** 2).sum(axis=0).mean())


def test_the_signal_lies_above_the_noise_by_the_snr():
    jones, _ = uniform_jones(0, snr_db=25, attenuation_per_mm=0.01, size_px=24)
    # The spectrometer loses 0.2 dB at this depth; speckle leaves some 0.1 dB.
    snr_db = mean_db(jones, first=200, last=300) - mean_db(jones, first=800, last=1000)
    assert snr_db == pytest.approx(25 - 3 * (274 / 1024) ** 2, abs=0.15)


def test_attenuation_is_that_of_the_beam_both_ways():
    jones, _ = uniform_jones(0, snr_db=60, attenuation_per_mm=5, size_px=24)
    fall_db = mean_db(jones, first=160, last=180) - mean_db(jones, first=360, last=380)
    roll_off_db = 3 * (394**2 - 194**2) / 1024**2
    assert fall_db == pytest.approx(10 * np.log10(np.e) * 2 * 5 * 0.5 + roll_off_db, abs=0.3)


def test_nothing_lies_above_the_surface():
    jones, surface_px = uniform_jones(0, snr_db=20)
    above = int(surface_px.min()) - 8
    assert mean_db(jones, first=0, last=above) == pytest.approx(48, abs=0.5)
