"""Intensity, retardance and axis against the formulas in double precision."""

import numpy as np
import pytest

from octflow.stages.process.contrast import contrasts

GOLDEN = np.exp(1j * np.array([0.4, -0.2]))


def jones_of(first, second):
    pair = np.broadcast_arrays(first, second)
    return np.stack(pair).astype(np.complex64).reshape(2, -1, 1, 1)


def random_jones(seed=0, shape=(2, 37, 13, 11)):
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, 6, size=shape)
    return (scale * np.exp(2j * np.pi * rng.random(shape))).astype(np.complex64)


def axis_distance(first_deg, second_deg):
    apart = np.abs(first_deg - second_deg) % 180
    return np.minimum(apart, 180 - apart)


def single(jones, **options):
    return [float(v.ravel()[0]) for v in contrasts(jones, **options)]


@pytest.mark.parametrize(("offset_deg", "axis_deg"), [(0, 17.18873), (100, -62.81127)])
def test_the_golden_axis(offset_deg, axis_deg):
    assert single(jones_of(*GOLDEN), phase_offset_deg=offset_deg)[2] == pytest.approx(axis_deg)


def test_flipping_negates_the_axis_before_the_offset():
    flipped = single(jones_of(*GOLDEN), phase_offset_deg=0, flip_phase=True)[2]
    turned = single(jones_of(*GOLDEN), phase_offset_deg=10, flip_phase=True)[2]
    assert flipped == pytest.approx(-17.18873)
    assert turned == pytest.approx(10 - 17.18873, abs=1e-5)


def test_the_default_offset_is_100_degrees():
    assert single(jones_of(*GOLDEN))[2] == pytest.approx(-62.81127)


def test_dark_voxels_have_the_floor_and_no_retardance():
    intensity_db, retardance_deg, axis_deg = single(jones_of(0, 0), phase_offset_deg=0)
    assert intensity_db == pytest.approx(-69.23690)
    assert (retardance_deg, axis_deg) == (0, 0)


@pytest.mark.parametrize(("first", "second", "expected"), [(1, 0, 90), (0, 1, 0), (2, 2, 45)])
def test_retardance_spans_a_right_angle(first, second, expected):
    assert single(jones_of(first, second))[1] == pytest.approx(expected, abs=1e-5)


def test_retardance_grows_with_the_first_channel():
    delta = np.deg2rad(np.linspace(0, 90, 91))
    found = contrasts(jones_of(np.sin(delta), np.cos(delta))).retardance_deg.ravel()
    np.testing.assert_allclose(found, np.arange(91), atol=2e-5)


def test_intensity_is_that_of_both_channels():
    jones = random_jones()
    intensity = (np.abs(jones.astype(complex)) ** 2).sum(axis=0)
    found = contrasts(jones).intensity_db
    np.testing.assert_allclose(found, 10 * np.log10(np.maximum(intensity, 2**-23)), atol=3e-5)


def test_retardance_is_that_of_double_precision():
    jones = random_jones()
    first, second = np.abs(jones.astype(complex))
    found = contrasts(jones).retardance_deg
    np.testing.assert_allclose(found, np.rad2deg(np.arctan2(first, second)), atol=3e-5)


@pytest.mark.parametrize("offset_deg", [0, 30, 100, -75])
def test_the_axis_is_that_of_double_precision(offset_deg):
    jones = random_jones(offset_deg + 100)
    phase_rad = np.angle(jones[0].astype(complex)) - np.angle(jones[1].astype(complex))
    found = contrasts(jones, phase_offset_deg=offset_deg).axis_deg
    assert axis_distance(found, np.rad2deg(phase_rad) / 2 + offset_deg).max() < 1e-4


def test_the_axis_lies_in_the_half_open_range():
    phase_rad = np.deg2rad(2 * np.linspace(-400, 400, 1601))
    found = contrasts(jones_of(np.exp(1j * phase_rad), 1), phase_offset_deg=100).axis_deg
    assert found.min() > -90
    assert found.max() <= 90


@pytest.mark.parametrize("phase_rad", [np.pi, -np.pi])
def test_a_right_angle_is_positive(phase_rad):
    assert single(jones_of(np.exp(1j * phase_rad), 1), phase_offset_deg=0)[2] == 90


def test_instrument_and_fibre_agree():
    axis_deg, retardance_deg = -20.0, 33.0
    chi = np.deg2rad(2 * (axis_deg - 100))
    delta = np.deg2rad(retardance_deg)
    jones = jones_of(5 * np.sin(delta) * np.exp(1j * chi), 5 * np.cos(delta))
    assert single(jones) == pytest.approx([10 * np.log10(25), retardance_deg, axis_deg], abs=1e-4)
