"""A stack of simulated slices that were shifted and turned one by one."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from octflow.core.axial import axis_difference
from octflow.core.instrument import Instrument
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.records import product
from octflow.simulate.phantom import build_phantom, tissue_at
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.settings import StackSettings

from flags import write_flag
from placing import write_placed

SIZE = (300, 340)
CENTRE = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)
PLACED = {
    1: ((0.0, 0.0), 0.0),
    2: ((8.3, -11.6), 1.4),
    3: ((-6.2, 3.7), -1.1),
    5: ((14.5, 9.2), 1.9),
    6: ((2.1, -4.4), -0.6),
}
TRUTH = {i: Motion(shift, angle, CENTRE) for i, (shift, angle) in PLACED.items()}
AZIMUTH_DEG = 70.0
"""Of the fibres, everywhere the same in the sample."""
SETTINGS = StackSettings(maps=("biref", "ori"), volumes=(), search_px=30)


@pytest.fixture(scope="module")
def phantom():
    return build_phantom(
        5, size_px=SIZE, margin_px=25, surface_px=(40, 5), n_slices=6,
        slice_thickness_um=450, voxel_um=10,
    )  # fmt: skip


def tissue_of(phantom, slice_id):
    """What the moved slice shows at its own pixels."""
    y, x = np.indices(SIZE, dtype=float)
    return tissue_at(phantom, *TRUTH[slice_id].from_slice(x, y), slice_id)


def write_slice(phantom, folder, slice_id, damaged=False):
    """Maps with noise of a fifth of the signal, and the axes as this slice sees them."""
    seen = tissue_of(phantom, slice_id)
    noise = np.random.default_rng(slice_id).normal(scale=0.2 * np.median(seen.dn), size=SIZE)
    signal = 0 if damaged else seen.dn
    azimuth = AZIMUTH_DEG + TRUTH[slice_id].angle_deg
    flat = np.array([np.cos(np.deg2rad(azimuth)), np.sin(np.deg2rad(azimuth)), 0.0])
    arrays = {
        "biref": np.where(seen.tissue, signal + noise, np.nan),
        "ori": np.where(seen.tissue, -azimuth, np.nan),
        "axis3d": flat[:, None, None, None] * seen.tissue,
    }
    outputs = {}
    for role, array in arrays.items():
        path = folder / f"s{slice_id}_{role}.nii.gz"
        write_nifti(path, array.astype(np.float32), voxel_size_mm=(0.01, 0.01, 0.0025))
        outputs[role] = product(path, role)
    axes = outputs.pop("axis3d")
    unit = {"slice": slice_id, "mosaic": 2 * slice_id - 1, "illumination": "normal"}
    return (
        write_flag(folder / f"s{slice_id}.st", outputs=list(outputs.values()), unit=unit),
        write_flag(
            folder / f"s{slice_id}.r", "register_slice", outputs=[axes], unit={"slice": slice_id}
        ),
    )


def stacked(phantom, folder, settings=SETTINGS, slices=tuple(TRUTH), damaged=()):
    stitched, registered = zip(
        *(write_slice(phantom, folder, i, damaged=i in damaged) for i in slices), strict=True
    )
    by_slice = dict(zip(slices, stitched, strict=True))
    return stack_slices(
        stitched=list(stitched), volumes=[], registered=list(registered),
        placed=write_placed(by_slice, folder, settings),
        overview=folder / "overview.jpg", folder=folder / "out", reference="normal",
        slice_thickness_um=450, instrument=Instrument(), settings=settings, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def outcome(phantom, tmp_path_factory):
    return stacked(phantom, tmp_path_factory.mktemp("simulated"))


def path_of(outcome, role):
    return Path(next(p.path for p in outcome.outputs if p.role == role))


def placed(outcome):
    """Motions as the placement file tells them."""
    slices = json.loads(path_of(outcome, "placement").read_text())["slices"]
    return {
        int(i): Motion(tuple(m["shift_px"]), m["angle_deg"], tuple(m["centre_px"]))
        for i, m in slices.items()
    }


def errors_px(phantom, found):
    """Distance, RMSE over tissue, at which the same tissue of one slice and the next appears."""
    y, x = np.indices(SIZE, dtype=float)
    ids = sorted(found)
    appears = {
        i: np.array(found[i].from_slice(*TRUTH[i].at(x, y)))[:, tissue_at(phantom, x, y, 1).tissue]
        for i in ids
    }
    return [
        float(np.sqrt(np.mean(np.sum((appears[b] - appears[a]) ** 2, axis=0))))
        for a, b in pairwise(ids)
    ]


def test_slices_lie_on_each_other_to_a_quarter_of_a_pixel(phantom, outcome):
    assert sorted(placed(outcome)) == [1, 2, 3, 5, 6]
    assert max(errors_px(phantom, placed(outcome))) <= 0.25
    assert max(errors_px(phantom, {i: Motion() for i in TRUTH})) > 10


def test_axes_that_are_alike_in_the_sample_are_alike_in_the_stack(outcome):
    x, y, z = read_nifti(path_of(outcome, "stack_axis3d"))
    there = np.abs(x) + np.abs(y) > 0
    azimuth = np.rad2deg(np.arctan2(y[there], x[there]))
    assert np.abs(axis_difference(azimuth, AZIMUTH_DEG)).max() < 0.5
    assert not z.any()
    ori = read_nifti(path_of(outcome, "stack_ori"))
    assert np.nanmax(np.abs(axis_difference(ori, -AZIMUTH_DEG))) < 0.5


def test_the_record_tells_the_largest_angle_and_the_centre(outcome):
    assert outcome.qc["largest_step_deg"] == pytest.approx(3.0, abs=0.3)
    assert (outcome.qc["centre_x_px"], outcome.qc["centre_y_px"]) == CENTRE
    assert all(gate.verdict == "pass" for gate in outcome.gates)


def test_a_damaged_slice_does_not_part_those_around_it(phantom, tmp_path):
    outcome = stacked(phantom, tmp_path, slices=(1, 2, 3, 5), damaged=(3,))
    found = placed(outcome)
    assert found[3] == found[2]
    assert "slice 3: motion against slice 2 not believed, none taken" in outcome.warnings
    found.pop(3)
    assert max(errors_px(phantom, found)) <= 1


def test_without_rotation_slices_are_only_shifted(phantom, tmp_path):
    outcome = stacked(phantom, tmp_path, SETTINGS.model_copy(update={"rotate": False}), (1, 2))
    motion = placed(outcome)[2]
    assert motion.angle_deg == 0
    np.testing.assert_allclose(motion.shift_px, TRUTH[2].shift_px, atol=1.5)
