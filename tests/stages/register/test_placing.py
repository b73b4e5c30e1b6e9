import numpy as np
import pytest

from octflow.core.errors import EstimateError
from octflow.core.gates import AtLeast
from octflow.simulate.slice_maps import affine_of, two_maps
from octflow.stages.register.fibres import View
from octflow.stages.register.placing import Search, judged_view, place
from octflow.stages.register.settings import RegisterBounds

BOUNDS = dict(RegisterBounds())
GOOD = {
    "overlap_fraction": 0.9,
    "rotation_deg": 1.0,
    "stretch_fraction": 0.02,
    "information_gain_nats": 0.5,
    "residual_px": 0.3,
    "recognised_fraction": 0.8,
}


def view(name, tilt_deg, image):
    flat = np.ones(image.shape, np.float32)
    return View(name, tilt_deg, image, flat * 1e-3, flat * 30, np.isfinite(image))


def verdicts(gates):
    return {gate.name.removeprefix("t_"): gate.verdict for gate in gates}


def fibres(seed, rotation_deg=2.0):
    way = affine_of(-15, rotation_deg=rotation_deg, shift_px=(9, -8), centre_px=(300, 200))
    return two_maps((400, 600), way, tilt_deg=-15, snr_db=20, seed=seed)


def placed(fixed, moving):
    return place(view("n", 0, fixed), view("t", -15, moving), Search(iterations=40), BOUNDS)


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("rotation_deg", 6, "fail"),
        ("rotation_deg", 4.5, "warn"),
        ("stretch_fraction", 0.2, "fail"),
        ("overlap_fraction", 0.2, "fail"),
        ("information_gain_nats", -0.3, "fail"),
        ("residual_px", 12, "fail"),
        ("residual_px", 3, "warn"),
        ("residual_px", None, "warn"),
        ("recognised_fraction", 0, "warn"),
    ],
)
def test_what_cannot_be_is_judged_by_name(name, value, verdict):
    found = verdicts(judged_view("t", GOOD | {name: value}, BOUNDS))
    assert found == dict.fromkeys(GOOD, "pass") | {name: verdict}


def test_views_of_the_same_fibres_pass_every_gate():
    maps = fibres(0)
    found = placed(maps.fixed, maps.moving)
    assert verdicts(found.gates) == dict.fromkeys(GOOD, "pass")
    assert found.numbers["residual_px"] < 0.5
    assert found.numbers["recognised_fraction"] >= 0.9


def test_views_of_different_slices_are_told_and_refused_where_that_is_set():
    found = placed(fibres(0).fixed, fibres(1).moving)
    missed = {name for name, verdict in verdicts(found.gates).items() if verdict != "pass"}
    assert missed >= {"residual_px", "recognised_fraction"}
    assert found.numbers["recognised_fraction"] == 0
    strict = BOUNDS | {"recognised_fraction": AtLeast(warn=0.3, fail=0.05)}
    gates = verdicts(judged_view("t", found.numbers, strict))
    assert gates["recognised_fraction"] == "fail"


def test_a_rotation_beyond_the_bound_is_not_believed():
    maps = fibres(2, rotation_deg=8)
    found = placed(maps.fixed, maps.moving)
    assert found.shape.rotation_deg == pytest.approx(8, abs=0.2)
    assert verdicts(found.gates)["rotation_deg"] == "fail"
    assert found.alignment.matrix[0, 1] == 0


def test_axes_of_a_placed_view_are_turned_back(fields):
    scene = fields.scene()
    moving = fields.moved(scene, fields.affine(-15, rotation_deg=3, shift=(8, -6)), (150, 164))
    found = placed(scene, moving)
    assert found.trusted
    assert np.median(found.view.axis_deg[found.view.valid]) == pytest.approx(27, abs=0.2)


def test_a_search_that_fails_leaves_the_guess(fields):
    scene = fields.scene().astype(np.float32)
    empty = np.where(np.indices(scene.shape)[0] == 0, 1.0, np.nan)
    found = placed(scene, empty)
    assert not found.trusted
    assert found.alignment.matrix[0, 1] == 0


def test_a_map_that_holds_nothing_leaves_the_guess_from_the_tissue(fields):
    scene = fields.scene().astype(np.float32)
    dark = view("t", -15, scene)
    dark = View(**(vars(dark) | {"image": np.full_like(scene, np.nan)}))
    found = place(view("n", 0, scene), dark, Search(), BOUNDS)
    assert verdicts(found.gates) == {"registration": "fail"}
    assert np.isfinite(found.alignment.matrix).all()


def test_a_view_without_tissue_is_refused_in_words(fields):
    scene = fields.scene()
    with pytest.raises(EstimateError, match="expected tissue"):
        placed(scene, np.full_like(scene, np.nan))
