import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.stages.stack.slabs import Layout, blend_slabs

LAYOUT = Layout(thickness_px=10, top_px=3, skirt_px=4)
WHOLE = slice(0, 30)


def constant(values):
    """Slabs that hold one value each, deep enough for their skirts."""

    def fill(slab, depths, block):
        assert len(block) == depths.stop - depths.start
        block[:] = values[slab]

    return fill


def blended(layout, slabs, z, fill, **options):
    room = np.full((z.stop - z.start, 1, 1), 1e9, np.float32)
    return blend_slabs(layout, slabs, z, fill, room, **options)


@pytest.mark.parametrize("thickness_px", [10, 10.4, 7.5])
def test_weights_add_up_to_one_where_slabs_meet(thickness_px):
    layout = Layout(thickness_px, top_px=0, skirt_px=4)
    total = sum(layout.weights(i, slice(4, 25)) for i in range(5))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_skirts_are_blended_linearly():
    block = blended(LAYOUT, (0, 1, 2), WHOLE, constant([0, 5, 5]))[:, 0, 0]
    np.testing.assert_allclose(block[:10], 0)
    np.testing.assert_allclose(block[10:14], [1, 2, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(block[14:], 5)


def test_no_skirt_joins_slabs_as_they_are():
    layout = Layout(10, top_px=3, skirt_px=0)
    block = blended(layout, (0, 1, 2), WHOLE, constant([1, 2, 3]))[:, 0, 0]
    np.testing.assert_array_equal(block, np.repeat([1, 2, 3], 10))


def test_depth_in_a_slab_starts_at_its_tissue():
    def depth(slab, depths, block):
        block[:, 0, 0] = np.arange(depths.start, depths.stop)

    block = blended(LAYOUT, (0, 1), slice(0, 20), depth)[:, 0, 0]
    np.testing.assert_allclose(block[:10], np.arange(3, 13))
    np.testing.assert_allclose(block[14:20], np.arange(7, 13))


def test_a_missing_slab_leaves_a_gap_below_the_skirt():
    block = blended(LAYOUT, (0, 2), WHOLE, constant([1, 2, 3]))[:, 0, 0]
    np.testing.assert_array_equal(block[:14], 1)
    assert np.isnan(block[14:20]).all()
    np.testing.assert_array_equal(block[20:], 3)


def test_axes_are_blended_as_axes():
    block = blended(LAYOUT, (0, 1), slice(0, 20), constant([86, -84]), axial=True)[:, 0, 0]
    np.testing.assert_allclose(axis_difference(block[10:14], [88, 90, -88, -86]), 0, atol=0.05)


def test_ranges_know_their_slabs():
    assert LAYOUT.slabs_at(slice(0, 10), 3) == [0]
    assert LAYOUT.slabs_at(slice(10, 14), 3) == [0, 1]
    assert LAYOUT.slabs_at(slice(14, 20), 3) == [1]
    assert LAYOUT.slabs_at(slice(0, 30), 3) == [0, 1, 2]
