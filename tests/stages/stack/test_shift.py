import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.stages.stack.shift import shifted_axes, shifted_block

WHOLE = (slice(0, 2), slice(0, 6), slice(0, 7))


def plane(n_z=2, n_y=6, n_x=7):
    z, y, x = np.indices((n_z, n_y, n_x), dtype=np.float32)
    return 100 * z + 10 * y + x


@pytest.mark.parametrize("shift_px", [(0, 0), (2, -1), (0.25, 0.5), (-1.75, 2.5)])
def test_a_plane_is_shifted_exactly(shift_px):
    block = shifted_block(plane(), WHOLE, shift_px)
    expected = plane() + shift_px[0] + 10 * shift_px[1]
    x = np.arange(7) + shift_px[0]
    y = np.arange(6) + shift_px[1]
    inside = ((y >= 0) & (y <= 5))[:, None] & ((x >= 0) & (x <= 6))
    np.testing.assert_allclose(block[:, inside], expected[:, inside], rtol=1e-6)


def test_blocks_fit_together():
    whole = shifted_block(plane(), WHOLE, (0.3, -0.6))
    left, right = (
        shifted_block(plane(), (slice(0, 2), slice(0, 6), x), (0.3, -0.6))
        for x in (slice(0, 3), slice(3, 7))
    )
    np.testing.assert_array_equal(np.concatenate([left, right], axis=2), whole)


def test_beyond_the_source_there_is_nothing():
    assert np.isnan(shifted_block(plane(), WHOLE, (100, 0))).all()
    deep = (slice(5, 8), slice(0, 6), slice(0, 7))
    assert np.isnan(shifted_block(plane(), deep, (0.5, 0))).all()


def test_a_hole_stays_a_hole_of_its_size():
    source = plane()
    source[:, 3, 3] = np.nan
    block = shifted_block(source, WHOLE, (0.3, 0))
    assert np.isnan(block[0, :, :6]).sum() == 1
    assert np.isnan(block[0, 3, 3])


def test_axes_on_both_sides_of_ninety_degrees_meet_there():
    source = np.full((1, 3, 4), 88, np.float32)
    source[..., 1::2] = -88
    block = shifted_block(source, (slice(0, 1), slice(0, 3), slice(0, 3)), (0.5, 0), axial=True)
    assert np.abs(axis_difference(block, 90)).max() < 1e-4


def test_vectors_of_either_sign_are_mixed_as_axes():
    one, other = np.array([0.8, 0.6, 0.0]), np.array([0.6, 0.8, 0.0])
    field = np.stack([one, -other], axis=1)[:, None, None]
    mixed = shifted_axes(field, (slice(0, 1), slice(0, 1), slice(0, 1)), (0.5, 0))[:, 0, 0, 0]
    np.testing.assert_allclose(np.abs(mixed), [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-6)


def test_where_there_is_no_axis_none_is_made():
    field = np.zeros((3, 1, 4, 4))
    field[0, 0, :, :2] = 1
    axes = shifted_axes(field, (slice(0, 1), slice(0, 4), slice(0, 4)), (0.2, 0))
    np.testing.assert_array_equal(axes[0, 0], [[1, 1, 0, 0]] * 4)
