import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.records import product
from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.files import place_slice
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.step_files import read_steps, write_step
from octflow.stages.stack.steps import Step, completed

from flags import write_flag


def test_a_step_is_read_as_it_was_written(tmp_path):
    step = Step(2, 5, Motion((0.1, -3.25), 1 / 3, (70.5, 40.0)), 0.875, trusted=True)
    assert read_steps([write_step(tmp_path / "slice_005.json", step)]) == [step]


def test_a_displacement_is_kept_to_a_ten_thousandth_of_a_pixel(tmp_path):
    nodes = np.random.default_rng(0).normal(size=(2, 3, 4))
    bent = Displacement(nodes, (-8.0, 16.0), 8.0)
    step = Step(2, 5, Motion(), 0.875, trusted=True, displacement=bent)
    (found,) = read_steps([write_step(tmp_path / "slice_005.json", step)])
    assert (found.displacement.first_px, found.displacement.spacing_px) == ((-8.0, 16.0), 8.0)
    np.testing.assert_allclose(found.displacement.by_px, nodes, atol=5.1e-5)


@pytest.mark.parametrize("text", ["{", "{}", '{"motion": 3}'])
def test_a_damaged_step_is_named(tmp_path, text):
    (tmp_path / "slice_005.json").write_text(text)
    with pytest.raises(DataError, match=r"slice_005.json: found .* expected a step from slice to"):
        read_steps([product(tmp_path / "slice_005.json", "step")])


def test_a_slice_without_a_step_follows_the_one_before():
    steps = completed([1, 2, 4], [Step(3, 4, Motion((9.0, 9.0)), 0.9, True)], trusted=False)
    assert [(s.previous, s.slice_id, s.motion) for s in steps] == [
        (1, 2, Motion()),
        (2, 4, Motion()),
    ]
    assert not any(s.trusted for s in steps)


def test_a_slice_without_a_map_is_not_placed(tmp_path):
    flags = [
        write_flag(tmp_path / f"{i}.st", unit={"slice": i, "illumination": "normal"})
        for i in (1, 2)
    ]
    outcome = place_slice(
        stitched=flags, folder=tmp_path, reference="normal", slice_id=2, settings=StackSettings()
    )
    assert outcome.outputs == []
    assert outcome.warnings == ["slice 2: no biref of it, or of any before: not placed"]
