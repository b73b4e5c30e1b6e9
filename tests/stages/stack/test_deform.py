"""Slices that were shifted, turned and bent one by one, and are laid on each other again."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from octflow.core.instrument import Instrument
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.stages.stack.chain import chained
from octflow.stages.stack.deform import find_displacement
from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.steps import Step, find_step

from flags import write_flag
from placing import write_placed

SIZE = (300, 340)
CENTRE = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)
PAD = 60
"""Tissue beyond the rim of the first slice, that bent ones show."""
MOTIONS = {
    1: Motion((0.0, 0.0), 0.0, CENTRE),
    2: Motion((8.3, -11.6), 1.4, CENTRE),
    3: Motion((-6.2, 3.7), -1.1, CENTRE),
    5: Motion((14.5, 9.2), 1.9, CENTRE),
    6: Motion((2.1, -4.4), -0.6, CENTRE),
}
OPTIONS = {"search_px": 30, "band_px": (2.0, 10.0), "min_correlation": 0.3}
BENDS = {"spacing_px": 40, "max_px": 10.0, "band_px": (2.0, 10.0)}
FADE = 0.8


def bend(slice_id, x, y, amplitude_px):
    """Two waves of 220 to 320 px along x and along y: what lay at p lies at p + bend(p)."""
    rng = np.random.default_rng(100 + slice_id)
    total = np.zeros((2, *np.shape(x)))
    for axis in (0, 0, 1, 1):
        angle, length_px, phase = rng.uniform(0, 6.28), rng.uniform(220, 320), rng.uniform(0, 6.28)
        along = np.cos(angle) * x + np.sin(angle) * y
        total[axis] += amplitude_px / 2 * np.sin(2 * np.pi * along / length_px + phase)
    return total


def seen_at(slice_id, x, y, amplitude_px):
    """Where in a slice points of the sample lie."""
    by_x, by_y = bend(slice_id, x, y, amplitude_px)
    return MOTIONS[slice_id].at(x + by_x, y + by_y)


def inverse(forth, x, y):
    """Solve forth(p) = (x, y) by repeated correction."""
    at_x, at_y = x, y
    for _ in range(40):
        to_x, to_y = forth(at_x, at_y)
        at_x, at_y = at_x + x - to_x, at_y + y - to_y
    return at_x, at_y


def in_tissue(x, y):
    return np.hypot((x - CENTRE[0]) / (CENTRE[0] - 25), (y - CENTRE[1]) / (CENTRE[1] - 25)) < 1


@pytest.fixture(scope="module")
def sample():
    """Bundles that bend, branch and end, the same in all slices."""
    rng = np.random.default_rng(7)
    noise = gaussian_filter(rng.normal(size=[n + 2 * PAD for n in SIZE]), 10)
    return 3e-4 + 2e-3 * np.exp(-((noise / noise.std() / 0.4) ** 2))


def maps_of(sample, amplitude_px):
    """Birefringence of every slice, with noise of a fifth of the signal."""
    y, x = np.indices(SIZE, dtype=float)
    maps = {}
    for i in MOTIONS:
        at_x, at_y = inverse(lambda *p, i=i: seen_at(i, *p, amplitude_px), x, y)
        values = map_coordinates(sample, [at_y + PAD, at_x + PAD], order=3, mode="nearest")
        noise = np.random.default_rng(i).normal(scale=0.2 * values.mean(), size=SIZE)
        maps[i] = np.where(in_tissue(at_x, at_y), values + noise, np.nan).astype(np.float32)
    return maps


def steps_of(maps, *, bent):
    steps = []
    for a, b in pairwise(sorted(maps)):
        rigid = find_step((a, maps[a]), (b, maps[b]), **OPTIONS, max_rotation_deg=5)
        found = find_displacement(maps[a], maps[b], rigid.motion, **BENDS) if bent else None
        steps.append(Step(a, b, rigid.motion, rigid.correlation, rigid.trusted, found))
    return steps


def laid(maps, steps, fade=FADE):
    return chained({i: one.shape for i, one in maps.items()}, steps, fade=fade, max_px=10)


def forth(place):
    """Where in a slice points of the frame are looked for."""

    def at(x, y):
        by_x, by_y = (0, 0) if place.displacement is None else place.displacement.at(x, y)
        return place.motion.at(x + by_x, y + by_y)

    return at


def errors_px(places, amplitude_px):
    """Distance, RMSE over tissue, at which the same tissue of one slice and the next appears."""
    y, x = (c[::7, ::7] for c in np.indices(SIZE, dtype=float))
    x, y = x[in_tissue(x, y)], y[in_tissue(x, y)]
    appears = [
        np.array(inverse(forth(places[i]), *seen_at(i, x, y, amplitude_px))) for i in sorted(places)
    ]
    return [float(np.sqrt(np.mean(np.sum((b - a) ** 2, axis=0)))) for a, b in pairwise(appears)]


@pytest.fixture(scope="module")
def bent_maps(sample):
    return maps_of(sample, 4)


def test_bent_slices_lie_on_each_other_to_a_pixel(bent_maps):
    rigid = errors_px(laid(bent_maps, steps_of(bent_maps, bent=False)), 4)
    bent = errors_px(laid(bent_maps, steps_of(bent_maps, bent=True)), 4)
    assert min(rigid) > 2
    assert max(bent) <= 1
    assert max(b / r for b, r in zip(bent, rigid, strict=True)) < 0.35


def test_slices_that_are_not_bent_stay_so(sample):
    maps = maps_of(sample, 0)
    steps = steps_of(maps, bent=True)
    y, x = np.indices(SIZE, dtype=float)
    invented = [np.hypot(*step.displacement.at(x, y)) for step in steps if step.displacement]
    assert max(np.sqrt(np.mean(one[in_tissue(x, y)] ** 2)) for one in invented) < 0.2
    assert max(errors_px(laid(maps, steps), 0)) < 0.2


def test_an_oblique_course_is_not_straightened():
    # Every slice lies 2 px further than the one before, bent: without fading, all lie alike.
    by = Displacement(np.broadcast_to([[[2.0]], [[0.0]]], (2, 7, 8)), (0.0, 0.0), 48.0)
    steps = [Step(i, i + 1, Motion(), 0.9, True, by) for i in range(1, 30)]
    shapes = dict.fromkeys(range(1, 31), SIZE)
    places = chained(shapes, steps, fade=FADE, max_px=50)
    lag = [place.displacement.by_px[0].max() for i, place in places.items() if i > 1]
    assert lag[0] == pytest.approx(2 * FADE)
    np.testing.assert_allclose(lag[-1], 2 * FADE / (1 - FADE), rtol=0.01)
    unfaded = chained(shapes, steps, max_px=100)[30]
    np.testing.assert_allclose(unfaded.displacement.by_px[0], 2 * 29)


def test_displacements_of_turned_slices_add_up_exactly():
    rng = np.random.default_rng(0)
    bends = [Displacement(rng.normal(size=(2, 9, 10)), (-48.0, -48.0), 48.0) for _ in range(2)]
    turns = [Motion((3.0, -2.0), 20.0, CENTRE), Motion((-5.0, 4.0), -30.0, (20.0, 90.0))]
    steps = [Step(i + 1, i + 2, turns[i], 0.9, True, bends[i]) for i in range(2)]
    places = chained(dict.fromkeys((1, 2, 3), SIZE), steps)
    x, y = places[3].displacement.first_px + np.array([[144.0], [144.0]])[:, 0]
    x, y = np.array([x]), np.array([y])
    expected = forth(Place(turns[1], bends[1]))(*forth(places[2])(x, y))
    np.testing.assert_allclose(forth(places[3])(x, y), expected, atol=1e-9)


def stacked(bent_maps, tmp_path, **changes):
    """Two bent slices, placed and stacked by their files."""
    stitched = {}
    for i in (1, 2):
        path = tmp_path / f"s{i}.nii.gz"
        write_nifti(path, bent_maps[i], voxel_size_mm=(0.01, 0.01, 0.0025))
        unit = {"slice": i, "mosaic": i, "illumination": "normal"}
        flag = tmp_path / f"s{i}.st"
        stitched[i] = write_flag(flag, outputs=[product(path, "biref")], unit=unit)
    settings = StackSettings(maps=("biref",), volumes=(), search_px=30, deform=True, **changes)
    return stack_slices(
        stitched=list(stitched.values()), volumes=[], registered=[],
        placed=write_placed(stitched, tmp_path, settings), overview=tmp_path / "o.jpg",
        folder=tmp_path / "out", reference="normal", slice_thickness_um=450,
        instrument=Instrument(), settings=settings, threads=1,
    )  # fmt: skip


def test_a_bound_that_is_reached_is_a_warning(bent_maps, tmp_path):
    outcome = stacked(bent_maps, tmp_path, deform_max_px=1.0)
    said = "slice 2: bent as far as deform_max_px allows, more would be needed"
    assert said in outcome.warnings
    verdicts = {gate.name: gate.verdict for gate in outcome.gates}
    assert verdicts["slice_002_displacement"] == "warn"
    assert outcome.qc["largest_displacement_px"] <= 1.001


def test_bent_slices_are_told_in_placement_and_record(bent_maps, tmp_path):
    outcome = stacked(bent_maps, tmp_path)
    placement = next(p.path for p in outcome.outputs if p.role == "placement")
    told = json.loads(Path(placement).read_text())["slices"]
    assert "displacement" not in told["1"]
    nodes = np.array(told["2"]["displacement"]["by_px"])
    assert outcome.qc["largest_displacement_px"] == pytest.approx(np.hypot(*nodes).max(), abs=1e-3)
    assert {gate.name for gate in outcome.gates} == {
        "slice_002_correlation",
        "slice_002_displacement",
    }
