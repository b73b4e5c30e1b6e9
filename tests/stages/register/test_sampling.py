import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.stages.register.sampling import box_of, read_padded, sampled_block

MATRIX = np.array([[0.96, -0.04, 0.07, 3.3], [0.03, 1.0, 0.0, -1.6], [0.0, 0.0, 1.04, 2.2]])
WHERE = (slice(4, 12), slice(6, 20), slice(10, 30))
SHAPE = (24, 30, 40)


def plane(z, y, x):
    return 2 * x - 3 * y + 0.5 * z


@pytest.fixture
def ramp():
    return plane(*np.indices(SHAPE)).astype(np.float32)


def positions(where=WHERE):
    """Where (x, y, z) in the moving volume the voxels of a block lie."""
    z, y, x = np.meshgrid(*(np.arange(s.start, s.stop) for s in where), indexing="ij")
    return np.tensordot(MATRIX, np.stack([x, y, z, np.ones(x.shape)]), axes=1)


def test_a_ramp_is_sampled_without_error(ramp):
    x, y, z = positions()
    np.testing.assert_allclose(sampled_block(ramp, WHERE, MATRIX), plane(z, y, x), atol=1e-3)


def test_blocks_of_a_block_are_its_parts(ramp):
    whole = sampled_block(ramp, WHERE, MATRIX)
    part = (slice(6, 9), slice(10, 17), slice(25, 30))
    np.testing.assert_allclose(
        sampled_block(ramp, part, MATRIX), whole[2:5, 4:11, 15:20], atol=1e-4
    )


def test_what_lies_beyond_the_volume_is_empty(ramp):
    where = (slice(0, 24), slice(0, 30), slice(30, 60))
    x, y, z = positions(where)
    found = sampled_block(ramp, where, MATRIX)
    inside = [(p > -0.5) & (p < n - 0.5) for p, n in zip((z, y, x), SHAPE, strict=True)]
    beyond = [(p < -1) | (p > n) for p, n in zip((z, y, x), SHAPE, strict=True)]
    assert np.isnan(found[np.any(beyond, axis=0)]).all()
    within = np.all([(p >= 0) & (p <= n - 1) for p, n in zip((z, y, x), SHAPE, strict=True)], 0)
    assert np.isfinite(found[within]).all()
    assert np.isfinite(found).sum() <= np.all(inside, axis=0).sum()


def test_empty_voxels_are_left_out_and_not_spread(ramp):
    flat = np.full(SHAPE, 7, np.float32)
    flat[:, :, 20:] = np.nan
    x = positions()[0]
    found = sampled_block(flat, WHERE, MATRIX)
    assert np.isfinite(found[x < 19.49]).all()
    assert np.isnan(found[x > 19.51]).all()
    np.testing.assert_allclose(found[x < 19], 7, rtol=1e-6)


def test_axes_are_mixed_as_axes_and_turned():
    axis = np.where(np.arange(SHAPE[2]) % 2, 80, -80) * np.ones(SHAPE)
    found = sampled_block(axis.astype(np.float32), WHERE, MATRIX, turn_deg=4.0)
    assert np.abs(axis_difference(found, 94)).max() <= 10.01


def test_a_box_holds_the_voxels_around_every_position():
    z, y, x = box_of(WHERE, MATRIX)
    for box, at in zip((x, y, z), positions(), strict=True):
        assert box.start == np.floor(at.min())
        assert box.stop == np.floor(at.max()) + 2


def test_blocks_are_padded_with_nothing(ramp):
    block = read_padded(ramp, (slice(-2, 2), slice(28, 31), slice(0, 4)))
    assert np.isnan(block[:2]).all()
    assert np.isnan(block[:, 2]).all()
    np.testing.assert_array_equal(block[2:, :2], ramp[:2, 28:, :4])
