import numpy as np
import pytest

from octflow.stages.stack.place import Step, accumulated, canvas_of, find_step

OPTIONS = {"search_px": 15, "band_px": (1.5, 10), "min_correlation": 0.3}


@pytest.mark.parametrize("shift_px", [(0, 0), (3.4, -7.6), (-9.25, 0.5)])
def test_a_shift_is_found_to_a_fifth_of_a_pixel(made, shift_px):
    scene = made.structure()
    step = find_step((1, made.moved(scene, (0, 0), 7)), (2, made.moved(scene, shift_px)), **OPTIONS)
    assert step.trusted
    assert np.hypot(*np.subtract(step.shift_px, shift_px)) < 0.2


def test_sizes_may_differ(made):
    scene = made.structure()
    second = made.moved(scene, (2, 3))[:110, :130]
    step = find_step((1, scene), (2, second), **OPTIONS)
    assert np.hypot(*np.subtract(step.shift_px, (2, 3))) < 0.3


def test_slices_that_have_nothing_in_common_are_not_shifted(made):
    step = find_step((1, made.structure(seed=1)), (2, made.structure(seed=2)), **OPTIONS)
    assert not step.trusted
    assert step.shift_px == (0, 0)


def test_an_empty_slice_is_not_shifted(made):
    step = find_step((1, made.structure()), (2, np.full((120, 140), np.nan)), **OPTIONS)
    assert not step.trusted


def test_rounding_does_not_add_up():
    steps = [Step(i, i + 1, (0.4, -0.4), 0.9, True) for i in range(1, 6)]
    assert accumulated(1, steps, rounded=True)[6] == (2, -2)


def test_the_canvas_holds_every_slice():
    canvas = canvas_of({1: (10, 20), 3: (12, 18)}, {1: (0.0, 0.0), 3: (-4.2, 1.1)})
    assert canvas.origin_px == (0, -2)
    assert canvas.shape == (2 + 11, 23)
