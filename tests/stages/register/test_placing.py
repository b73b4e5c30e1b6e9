import numpy as np
import pytest

from octflow.stages.register.align import Shape
from octflow.stages.register.fibres import View
from octflow.stages.register.placing import Bounds, Search, judged, place


def view(name, tilt_deg, image):
    flat = np.ones(image.shape, np.float32)
    return View(name, tilt_deg, image, flat * 1e-3, flat * 30, np.isfinite(image))


def verdicts(shape, overlap_fraction=0.9, gain=0.5):
    gates = judged(shape, overlap_fraction, gain, bounds=Bounds(), name="tilted")
    return {gate.name.removeprefix("tilted_"): gate.verdict for gate in gates}


@pytest.mark.parametrize(
    ("case", "failed"),
    [
        ((Shape(1, 0.02, 1),), set()),
        ((Shape(-6, 0, 1),), {"rotation_deg"}),
        ((Shape(0, 0.2, 1),), {"stretch_fraction"}),
        ((Shape(0, 0, 1), 0.2), {"overlap_fraction"}),
        ((Shape(0, 0, 1), 0.9, -0.3), {"information_gain_nats"}),
    ],
)
def test_what_cannot_be_fails_by_name(case, failed):
    assert {name for name, verdict in verdicts(*case).items() if verdict == "fail"} == failed


def test_axes_of_a_placed_view_are_turned_back(fields):
    scene = fields.scene()
    moving = fields.moved(scene, fields.affine(-15, rotation_deg=3, shift=(8, -6)), (150, 164))
    placed = place(view("n", 0, scene), view("t", -15, moving), Search(), Bounds())
    assert placed.trusted
    assert np.median(placed.view.axis_deg[placed.view.valid]) == pytest.approx(27, abs=0.2)


def test_a_search_that_fails_leaves_the_guess(fields):
    scene = fields.scene().astype(np.float32)
    empty = np.where(np.indices(scene.shape)[0] == 0, 1.0, np.nan)
    placed = place(view("n", 0, scene), view("t", -15, empty), Search(), Bounds())
    assert not placed.trusted
    assert placed.alignment.matrix[0, 1] == 0
