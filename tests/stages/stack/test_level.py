"""Slices of a laser that drifts, evened."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from octflow.core.instrument import Instrument
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.omezarr import Plan, read_volume
from octflow.io.records import product
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.level import find_offset_db, levelled
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.steps import Step

from flags import write_flag
from placing import write_placed

LASER_DB = {1: 0.0, 2: 1.7, 3: -2.0, 5: 0.6, 6: 1.9}
SIZE = (200, 220)
VOXEL_MM = (0.01, 0.01, 0.0025)
SETTINGS = StackSettings(
    maps=("aip", "ret"), top_px=0, skirt_px=0, chunk_px=(8, 32, 32), shard_px=(8, 64, 64)
)


def scene(seed, laser_db, shift_px=(0.0, 0.0), n_vessels=12):
    """Tissue in dB with noise of 1 dB and its own dark vessels, moved, NaN around it."""
    n_y, n_x = SIZE
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(n_y + 40, n_x + 40)), 5)
    y, x = np.indices(SIZE, dtype=float)
    at_y, at_x = y - shift_px[1], x - shift_px[0]
    values = 70 + 2 * map_coordinates(texture / texture.std(), [at_y + 20, at_x + 20], order=1)
    rng = np.random.default_rng(seed)
    for centre in rng.uniform(40, 160, size=(n_vessels, 2)):
        values -= 15 * (np.hypot(y - centre[0], x - centre[1]) < 7)
    tissue = np.hypot(at_y - n_y / 2, at_x - n_x / 2) < 85
    seen = values + laser_db + rng.normal(size=SIZE)
    return np.where(tissue, seen, np.nan).astype(np.float32)


def write_slice(folder, slice_id, laser_db, shift_px):
    aip = scene(slice_id, laser_db, shift_px)
    outputs = []
    placed_by = scene(slice_id, 0.0, shift_px, n_vessels=0)
    for role, values in (("aip", aip), ("biref", placed_by), ("ret", aip)):
        path = folder / f"s{slice_id}_{role}.nii.gz"
        write_nifti(path, values, voxel_size_mm=VOXEL_MM)
        outputs.append(product(path, role))
    volume, cube = folder / f"s{slice_id}_dBI.ome.zarr", np.repeat(aip[None], 8, axis=0)
    plan = Plan(cube.shape, VOXEL_MM, "dBI", chunk_px=(8, 32, 32), shard_px=(8, 64, 64))
    write_volume(volume, plan, block_of=lambda *where: cube[where])
    unit = {"slice": slice_id, "mosaic": slice_id, "illumination": "normal"}
    return (
        write_flag(folder / f"s{slice_id}.st", outputs=outputs, unit=unit),
        write_flag(folder / f"s{slice_id}.v", outputs=[product(volume, "dBI")], unit=unit),
    )


def stacked(folder, laser_db, settings=SETTINGS):
    folder.mkdir(exist_ok=True)
    flags = {i: write_slice(folder, i, db, (i - 1.0, 0.5 * i)) for i, db in laser_db.items()}
    stitched = {i: flag for i, (flag, _) in flags.items()}
    outcome = stack_slices(
        stitched=list(stitched.values()), volumes=[flag for _, flag in flags.values()],
        registered=[], placed=write_placed(stitched, folder, settings),
        overview=folder / "o.jpg", folder=folder / "out", reference="normal",
        slice_thickness_um=20, instrument=Instrument(), settings=settings, threads=1,
    )  # fmt: skip
    return outcome, {p.role: Path(p.path) for p in outcome.outputs}


@pytest.fixture(scope="module")
def drifting(tmp_path_factory):
    return stacked(tmp_path_factory.mktemp("drifting"), LASER_DB)


def steps_db(planes):
    """Median differences of the planes that there are, one from the next."""
    there = [plane for plane in planes if np.isfinite(plane).any()]
    return np.abs([np.nanmedian(b - a) for a, b in pairwise(there)])


def test_the_steps_of_a_drifting_laser_are_evened(drifting):
    _, paths = drifting
    assert steps_db(read_nifti(paths["stack_ret"])).max() > 3
    assert steps_db(read_nifti(paths["stack_aip"])).max() < 0.5


def test_volumes_are_evened_like_maps(drifting):
    _, paths = drifting
    volume = np.asarray(read_volume(paths["stack_dBI"])[:, :, :])[4::8]
    np.testing.assert_allclose(volume, read_nifti(paths["stack_aip"]), atol=1e-3)


def test_placement_and_record_tell_the_offsets(drifting):
    outcome, paths = drifting
    told = json.loads(paths["placement"].read_text())
    offsets = {int(i): place["offset_db"] for i, place in told["slices"].items()}
    assert offsets[1] == 0
    assert offsets[2] == pytest.approx(-0.9 * LASER_DB[2], abs=0.1)
    found = [step["offset_db"] for step in told["steps"]]
    np.testing.assert_allclose(found, -np.diff(list(LASER_DB.values())), atol=0.1)
    assert outcome.qc["largest_offset_db"] == max(map(abs, offsets.values()))


def test_slices_of_one_brightness_stay_as_they_are(tmp_path):
    constant = dict.fromkeys((1, 2, 3), 0.0)
    plain = SETTINGS.model_copy(update={"equalise": ()})
    evened, asis = (
        stacked(tmp_path / name, constant, one)[1]
        for name, one in (("evened", SETTINGS), ("plain", plain))
    )
    np.testing.assert_array_equal(*(read_nifti(paths["stack_aip"]) for paths in (evened, asis)))
    volumes = [np.asarray(read_volume(p["stack_dBI"])[:, :, :]) for p in (evened, asis)]
    np.testing.assert_array_equal(*volumes)


def test_a_bound_that_is_reached_is_a_warning(tmp_path):
    narrow = SETTINGS.model_copy(update={"equalise_max_db": 1.0, "volumes": ()})
    outcome, _ = stacked(tmp_path, {1: 0.0, 2: 1.7}, narrow)
    said = "slice 2: evened by all that equalise_max_db allows, -1 dB"
    assert [w for w in outcome.warnings if "evened" in w] == [said]


def test_a_stack_does_not_follow_a_drift_beyond_the_bound():
    steps = [Step(i, i + 1, Motion(), 0.9, True, offset_db=-0.5) for i in range(1, 60)]
    places = levelled(dict.fromkeys(range(1, 61), Place(Motion())), steps, fade=0.9, max_db=3)
    assert places[2].offset_db == pytest.approx(-0.45)
    assert places[60].offset_db == -3


def test_what_one_slice_alone_shows_has_no_say():
    first, second = scene(1, 0.0), scene(2, -1.2)
    second[60:100, 70:110] += 20
    assert find_offset_db(first, second) == pytest.approx(1.2, abs=0.1)
