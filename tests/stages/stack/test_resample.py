import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.resample import resampled_axes, resampled_block

WHOLE = (slice(0, 2), slice(0, 6), slice(0, 7))


def plane(n_z=2, n_y=6, n_x=7):
    z, y, x = np.indices((n_z, n_y, n_x), dtype=np.float32)
    return 100 * z + 10 * y + x


@pytest.mark.parametrize("shift_px", [(0, 0), (2, -1), (0.25, 0.5), (-1.75, 2.5)])
def test_a_plane_is_shifted_exactly(shift_px):
    block = resampled_block(plane(), WHOLE, Place(Motion(shift_px)))
    expected = plane() + shift_px[0] + 10 * shift_px[1]
    x = np.arange(7) + shift_px[0]
    y = np.arange(6) + shift_px[1]
    inside = ((y >= 0) & (y <= 5))[:, None] & ((x >= 0) & (x <= 6))
    np.testing.assert_allclose(block[:, inside], expected[:, inside], rtol=1e-6)


def test_blocks_fit_together():
    whole = resampled_block(plane(), WHOLE, Place(Motion((0.3, -0.6))))
    left, right = (
        resampled_block(plane(), (slice(0, 2), slice(0, 6), x), Place(Motion((0.3, -0.6))))
        for x in (slice(0, 3), slice(3, 7))
    )
    np.testing.assert_array_equal(np.concatenate([left, right], axis=2), whole)


def test_beyond_the_source_there_is_nothing():
    assert np.isnan(resampled_block(plane(), WHOLE, Place(Motion((100, 0))))).all()
    deep = (slice(5, 8), slice(0, 6), slice(0, 7))
    assert np.isnan(resampled_block(plane(), deep, Place(Motion((0.5, 0))))).all()


def test_a_hole_stays_a_hole_of_its_size():
    source = plane()
    source[:, 3, 3] = np.nan
    block = resampled_block(source, WHOLE, Place(Motion((0.3, 0))))
    assert np.isnan(block[0, :, :6]).sum() == 1
    assert np.isnan(block[0, 3, 3])


def test_axes_on_both_sides_of_ninety_degrees_meet_there():
    source = np.full((1, 3, 4), 88, np.float32)
    source[..., 1::2] = -88
    block = resampled_block(
        source, (slice(0, 1), slice(0, 3), slice(0, 3)), Place(Motion((0.5, 0))), axial=True
    )
    assert np.abs(axis_difference(block, 90)).max() < 1e-4


def test_vectors_of_either_sign_are_mixed_as_axes():
    one, other = np.array([0.8, 0.6, 0.0]), np.array([0.6, 0.8, 0.0])
    field = np.stack([one, -other], axis=1)[:, None, None]
    mixed = resampled_axes(field, (slice(0, 1), slice(0, 1), slice(0, 1)), Place(Motion((0.5, 0))))[
        :, 0, 0, 0
    ]
    np.testing.assert_allclose(np.abs(mixed), [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-6)


def test_where_there_is_no_axis_none_is_made():
    field = np.zeros((3, 1, 4, 4))
    field[0, 0, :, :2] = 1
    axes = resampled_axes(field, (slice(0, 1), slice(0, 4), slice(0, 4)), Place(Motion((0.2, 0))))
    np.testing.assert_array_equal(axes[0, 0], [[1, 1, 0, 0]] * 4)


TURN = Place(Motion((1.25, -0.5), 7.0, (3.0, 2.0)))


def test_a_plane_is_turned_and_shifted_exactly():
    block = resampled_block(plane(), WHOLE, TURN)
    y, x = np.indices((6, 7))
    c, s = np.cos(np.deg2rad(7)), np.sin(np.deg2rad(7))
    at_x = 3 + 1.25 + c * (x - 3) - s * (y - 2)
    at_y = 2 - 0.5 + s * (x - 3) + c * (y - 2)
    inside = (at_x >= 0) & (at_x <= 6) & (at_y >= 0) & (at_y <= 5)
    assert inside.sum() > 20
    np.testing.assert_allclose(block[1][inside], (100 + at_x + 10 * at_y)[inside], rtol=1e-5)


def test_turned_blocks_fit_together():
    whole = resampled_block(plane(), WHOLE, TURN)
    parts = [
        resampled_block(plane(), (slice(0, 2), y, slice(0, 7)), TURN)
        for y in (slice(0, 1), slice(1, 6))
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_axes_turn_back_with_the_slice():
    # A fibre along azimuth 20 in the frame lies along 27 in a slice that is turned by 7.
    seen = np.deg2rad(27)
    field = np.zeros((3, 1, 6, 7))
    field[:2, 0] = np.array([np.cos(seen), np.sin(seen)])[:, None, None] * 0.8
    field[2] = 0.6
    x, y, z = resampled_axes(field, (slice(0, 1), slice(2, 4), slice(2, 5)), TURN)[:, 0]
    np.testing.assert_allclose(np.rad2deg(np.arctan2(y, x)), 20, atol=1e-4)
    np.testing.assert_allclose(z, 0.6, rtol=1e-5)


def test_angles_of_the_instrument_count_the_other_way_round():
    # Azimuth 60 in the frame is 67 in the slice, which the instrument calls -67.
    source = np.full((1, 6, 7), -67, np.float32)
    block = resampled_block(source, (slice(0, 1), slice(2, 4), slice(2, 5)), TURN, axial=True)
    np.testing.assert_allclose(block, -60, atol=1e-4)


WAVES = np.random.default_rng(4).normal(scale=3, size=(2, 4, 5))
BENT = Place(TURN.motion, Displacement(WAVES, (-40.0, -30.0), 25.0))


def deformed(x, y):
    """Where BENT lays points of the frame, point by point."""
    by_x, by_y = BENT.displacement.at(x, y)
    return BENT.motion.at(x + by_x, y + by_y)


def test_a_plane_is_deformed_exactly():
    where = (slice(0, 2), slice(-20, 30), slice(-30, 40))
    large = plane(2, 90, 100)
    block = resampled_block(large, where, BENT)
    y, x = np.mgrid[-20:30, -30:40].astype(float)
    at_x, at_y = deformed(x, y)
    inside = (at_x >= 0) & (at_x <= 99) & (at_y >= 0) & (at_y <= 89)
    assert inside.sum() > 700
    np.testing.assert_allclose(block[1][inside], (100 + at_x + 10 * at_y)[inside], rtol=1e-4)


def test_deformed_blocks_fit_together():
    where = (slice(0, 2), slice(0, 20), slice(0, 30))
    field = np.random.default_rng(0).uniform(-90, 90, (2, 60, 60)).astype(np.float32)
    whole = resampled_block(field, where, BENT, axial=True)
    parts = [
        resampled_block(field, (slice(0, 2), y, slice(0, 30)), BENT, axial=True)
        for y in (slice(0, 7), slice(7, 20))
    ]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-3)


def test_axes_turn_with_the_local_rotation_of_a_deformation():
    # A displacement that turns by 4 degrees: a fibre along 20 lies along 20 + 4 + 7 in the slice.
    y, x = np.mgrid[0:5, 0:5] * 10.0
    c, s = np.cos(np.deg2rad(4)), np.sin(np.deg2rad(4))
    turn = Displacement(np.array([(c - 1) * x - s * y, s * x + (c - 1) * y]), (0.0, 0.0), 10.0)
    place = Place(TURN.motion, turn)
    where = (slice(0, 1), slice(12, 15), slice(14, 18))
    seen = np.deg2rad(31)
    field = np.zeros((3, 1, 40, 40))
    field[:2, 0] = np.array([np.cos(seen), np.sin(seen)])[:, None, None]
    axes = resampled_axes(field, where, place)[:, 0]
    np.testing.assert_allclose(np.rad2deg(np.arctan2(axes[1], axes[0])), 20, atol=0.01)
    ori = resampled_block(np.full((1, 40, 40), -31, np.float32), where, place, axial=True)
    np.testing.assert_allclose(ori, -20, atol=0.01)


def test_an_offset_is_added_to_what_is_in_db_only():
    place = Place(TURN.motion, offset_db=1.5)
    plain = resampled_block(plane(), WHOLE, place)
    np.testing.assert_array_equal(plain, resampled_block(plane(), WHOLE, TURN))
    evened = resampled_block(plane(), WHOLE, place, in_db=True)
    np.testing.assert_allclose(evened, plain + 1.5, rtol=1e-6)


def around(source, y, x):
    """Yield weight and value of the four pixels around a point of a plane."""
    whole_y, whole_x = int(np.floor(y)), int(np.floor(x))
    for of_y, weight_y in ((whole_y, 1 - (y - whole_y)), (whole_y + 1, y - whole_y)):
        for of_x, weight_x in ((whole_x, 1 - (x - whole_x)), (whole_x + 1, x - whole_x)):
            inside = 0 <= of_y < source.shape[0] and 0 <= of_x < source.shape[1]
            yield weight_y * weight_x, source[of_y, of_x] if inside else np.nan


def by_definition(source, y, x):
    """The mean over the pixels that have a value, if half of the weight is theirs."""
    known = [(w, v) for w, v in around(source, y, x) if np.isfinite(v) and w > 0]
    weight = sum(w for w, _ in known)
    return sum(w * v for w, v in known) / weight if weight >= 0.5 else np.nan


@pytest.mark.parametrize(
    "motion",
    [TURN.motion, Motion((0.3, -1.6)), Motion((2.0, -1.0)), Motion((-4.0, 9.0), 40, (9.0, 20.0))],
)
def test_values_with_holes_are_those_of_the_definition(motion):
    rng = np.random.default_rng(3)
    source = np.where(rng.random((40, 50)) < 0.2, np.nan, rng.normal(size=(40, 50)) + 60)
    where = (slice(0, 1), slice(-3, 44), slice(-2, 55))
    block = resampled_block(source[None].astype("f4"), where, Place(motion))[0]
    at_x, at_y = Place(motion).over(*where[1:])
    at_y, at_x = np.broadcast_arrays(at_y, at_x)
    expected = [by_definition(source, y, x) for y, x in zip(at_y.flat, at_x.flat, strict=True)]
    np.testing.assert_allclose(block, np.reshape(expected, block.shape), rtol=1e-6)


@pytest.mark.parametrize("motion", [Motion((0.3, -1.6)), Motion((2.0, -1.0)), TURN.motion])
def test_angles_with_holes_are_mixed_as_doubled_angles(motion):
    rng = np.random.default_rng(4)
    source = np.where(rng.random((30, 40)) < 0.1, np.nan, rng.uniform(-90, 90, (30, 40)))
    where = (slice(0, 1), slice(0, 30), slice(0, 40))
    block = resampled_block(source[None].astype("f4"), where, Place(motion), axial=True)[0]
    at_y, at_x = np.broadcast_arrays(*reversed(Place(motion).over(*where[1:])))
    vector = np.exp(2j * np.deg2rad(source))
    mixed = np.array(
        [by_definition(vector, y, x) for y, x in zip(at_y.flat, at_x.flat, strict=True)]
    ).reshape(block.shape)
    expected = np.rad2deg(np.angle(mixed)) / 2 + motion.angle_deg
    np.testing.assert_array_equal(np.isnan(block), np.isnan(mixed))
    clear = np.abs(np.nan_to_num(mixed)) > 0.05
    assert np.abs(axis_difference(block, expected))[clear].max() < 1e-3
