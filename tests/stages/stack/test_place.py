import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place, canvas_of
from octflow.stages.stack.steps import Step, accumulated, find_step

OPTIONS = {"search_px": 15, "band_px": (1.5, 10), "min_correlation": 0.3}


@pytest.mark.parametrize("shift_px", [(0, 0), (3.4, -7.6), (-9.25, 0.5)])
def test_a_shift_is_found_to_a_fifth_of_a_pixel(made, shift_px):
    scene = made.structure()
    step = find_step((1, made.moved(scene, (0, 0), 7)), (2, made.moved(scene, shift_px)), **OPTIONS)
    assert step.trusted
    assert np.hypot(*np.subtract(step.motion.shift_px, shift_px)) < 0.2


def turned_scene(scene, motion, seed=1):
    """What lies at p in the picture lies at motion(p) in the result; with its own noise."""
    y, x = np.indices(scene.shape, dtype=float)
    at_x, at_y = motion.from_slice(x, y)
    plain = map_coordinates(scene, [at_y, at_x], order=1, mode="constant", cval=np.nan)
    return plain + np.random.default_rng(seed).normal(scale=0.5, size=scene.shape)


@pytest.mark.parametrize("angle_deg", [-4.6, 0.7, 2])
def test_an_angle_is_found_with_the_shift(made, angle_deg):
    scene, truth = made.structure(), Motion((5.5, -3.25), angle_deg, (69.5, 59.5))
    second = turned_scene(scene, truth)
    step = find_step((1, made.moved(scene, (0, 0), 7)), (2, second), **OPTIONS, max_rotation_deg=5)
    assert step.trusted
    assert step.motion.angle_deg == pytest.approx(angle_deg, abs=0.2)
    assert np.hypot(*np.subtract(step.motion.shift_px, truth.shift_px)) < 0.2


def test_large_maps_are_searched_reduced(made):
    scene, truth = made.structure(1090, 1150), Motion((15.0, -9.5), 1.2, (574.5, 544.5))
    scene = gaussian_filter(np.nan_to_num(scene, nan=65), 2)
    step = find_step(
        (1, made.moved(scene, (0, 0), 7)), (2, turned_scene(scene, truth)), **OPTIONS,
        max_rotation_deg=2,
    )  # fmt: skip
    y, x = np.array([300.0, 800.0]), np.array([300.0, 900.0])
    np.testing.assert_allclose(step.motion.at(x, y), truth.at(x, y), atol=0.1)


def test_an_angle_beyond_the_largest_is_not_believed(made):
    scene = made.structure()
    second = turned_scene(scene, Motion((0.0, 0.0), 4.0, (69.5, 59.5)))
    step = find_step((1, scene), (2, second), **OPTIONS, max_rotation_deg=2)
    assert not step.trusted
    assert step.motion == Motion()


def test_sizes_may_differ(made):
    scene = made.structure()
    second = made.moved(scene, (2, 3))[:110, :130]
    step = find_step((1, scene), (2, second), **OPTIONS)
    assert np.hypot(*np.subtract(step.motion.shift_px, (2, 3))) < 0.3


@pytest.mark.parametrize("max_rotation_deg", [0, 5])
def test_slices_that_have_nothing_in_common_are_not_moved(made, max_rotation_deg):
    first, second = made.structure(seed=1), made.structure(seed=2)
    step = find_step((1, first), (2, second), **OPTIONS, max_rotation_deg=max_rotation_deg)
    assert not step.trusted
    assert step.motion == Motion()


def test_an_empty_slice_is_not_shifted(made):
    step = find_step((1, made.structure()), (2, np.full((120, 140), np.nan)), **OPTIONS)
    assert not step.trusted


def test_rounding_does_not_add_up():
    steps = [Step(i, i + 1, Motion((0.4, -0.4)), 0.9, True) for i in range(1, 6)]
    assert accumulated(1, steps, rounded=True)[6].shift_px == (2, -2)


def test_the_canvas_holds_every_slice():
    canvas = canvas_of(
        {1: (10, 20), 3: (12, 18)}, {1: Place(Motion()), 3: Place(Motion((-4.2, 1.1)))}
    )
    assert canvas.origin_px == (0, -2)
    assert canvas.shape == (2 + 11, 23)


def test_the_canvas_holds_the_corners_of_turned_slices():
    # Half the diagonal extent of 20 x 10 px at 45 degrees is (10 + 5) / sqrt(2) = 10.6 px.
    canvas = canvas_of({1: (10, 20)}, {1: Place(Motion((0.0, 0.0), 45.0, (10.0, 5.0)))})
    assert canvas.origin_px == (-1, -6)
    assert canvas.shape == (22, 22)


def test_motions_are_chained_about_the_centre_of_the_first_slice():
    steps = [Step(1, 2, Motion((3.0, 1.0), 30.0, (5.0, 5.0)), 0.9, True)]
    steps.append(Step(2, 4, Motion((-2.0, 4.0), -10.0, (8.0, 1.0)), 0.9, True))
    x, y = np.array([0.0, 7.0]), np.array([2.0, -3.0])
    chained = accumulated(1, steps, centre_px=(4.0, 6.0))[4]
    assert chained.centre_px == (4.0, 6.0)
    expected = steps[1].motion.at(*steps[0].motion.at(x, y))
    np.testing.assert_allclose(chained.at(x, y), expected, atol=1e-12)
    np.testing.assert_allclose(chained.from_slice(*expected), (x, y), atol=1e-12)
