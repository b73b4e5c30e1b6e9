"""Volumes as 16-bit integers."""

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.core.scaled import STEPS, Scaled, codes_of, unscaled

RANGES = {"dBI": (-69.3, 140), "R3D": (0, 90), "O3D": (-90, 90)}


@pytest.mark.parametrize("modality", STEPS)
def test_values_come_back_within_half_a_step(modality):
    values = np.random.default_rng(0).uniform(*RANGES[modality], (4, 50, 60)).astype(np.float32)
    back = Scaled(codes_of(values, modality), np.float32(STEPS[modality]), np.float32(0)).floats()
    error = axis_difference(back, values) if modality == "O3D" else back - values
    assert np.abs(error).max() < 0.501 * STEPS[modality] + 1e-5
    assert back.dtype == np.float32


def test_the_error_is_that_of_rounding():
    values = np.random.default_rng(0).uniform(40, 90, (2, 100, 100)).astype(np.float32)
    error = codes_of(values, "dBI") * 0.01 - values
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.01 / np.sqrt(12), rel=0.02)


def test_an_axis_is_never_minus_90():
    codes = codes_of(np.array([[[-89.9999, 90.0, -89.99]]], np.float32), "O3D")
    assert codes.ravel().tolist() == [32767, 32767, -32763]


@pytest.mark.parametrize("value", [np.nan, np.inf, 400.0])
def test_what_has_no_code_is_refused(value):
    with pytest.raises(ValueError, match=r"dBI of .* steps cannot be stored as int16"):
        codes_of(np.full((1, 2, 2), value, np.float32), "dBI")


def test_a_part_is_scaled_alone():
    scaled = Scaled(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.float32(0.5), np.float32(1))
    assert scaled.floats(slice(0, 1), 2).tolist() == [[5, 5.5, 6, 6.5]]


def test_floats_are_not_copied():
    values = np.zeros((2, 3, 4), np.float32)
    assert np.shares_memory(unscaled(values).floats(slice(0, 1)), values)
