import numpy as np
import pytest

from octflow.simulate.speckle import BEAM_SIGMA_PX, speckle_field


def field(position=(0.0, 0.0), size=(24, 20), key=(1, 1, 0), n_depth=64):
    return speckle_field(key, position_px=position, size_px=size, n_depth=n_depth)


def test_tiles_see_the_same_speckle_where_they_overlap():
    first, second = field((3.25, -7.5)), field((8.25, 2.5))
    np.testing.assert_allclose(second[:19, :10], first[5:, 10:], rtol=1e-6)


def test_a_smaller_region_is_a_part_of_a_larger_one():
    np.testing.assert_array_equal(field(size=(5, 6)), field()[:5, :6])


def test_speckle_is_circular_gaussian_with_mean_square_one():
    values = field((0.4, 0.7), size=(40, 40), n_depth=256)
    assert np.mean(np.abs(values) ** 2) == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(values) ** 4) == pytest.approx(2, abs=0.08)
    assert abs(np.mean(values**2)) < 0.02


@pytest.mark.parametrize("shift", [0.3, 0.8, 1.0, 2.2])
def test_correlation_over_a_sub_pixel_shift_is_that_of_the_beam(shift):
    first, second = field(n_depth=512), field((0.0, shift), n_depth=512)
    found = np.mean(first * np.conj(second))
    assert found.real == pytest.approx(np.exp(-((shift / BEAM_SIGMA_PX) ** 2) / 4), abs=0.03)
    assert found.imag == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("key", [(2, 1, 0), (1, 2, 0), (1, 1, 1)])
def test_another_seed_slice_or_illumination_has_other_speckle(key):
    assert abs(np.mean(field() * np.conj(field(key=key)))) < 0.03


def test_depth_samples_are_independent():
    values = field()
    assert abs(np.mean(values[..., 1:] * np.conj(values[..., :-1]))) < 0.03
