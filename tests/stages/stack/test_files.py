import json
from pathlib import Path

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.io.nifti import read_nifti, read_voxel_size_mm, write_nifti
from octflow.io.omezarr import Plan, read_volume
from octflow.io.records import product
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.settings import StackSettings

from flags import write_flag
from placing import write_placed

SHIFTS = {1: (0.0, 0.0), 2: (3.5, -2.0), 4: (1.25, 4.5)}
VOXEL_MM = (0.01, 0.01, 0.0025)
DEPTH_PX = 30
SETTINGS = StackSettings(
    maps=("aip", "ori"), image="aip", band_px=(1.5, 10), top_px=4, skirt_px=3,
    canvas_step_px=1, chunk_px=(16, 16, 16), shard_px=(32, 64, 64),
)  # fmt: skip


def write_slice(made, folder, slice_id):
    """One slice of a structure: maps, 3-D axes, and a volume whose values tell the depth."""
    image = made.moved(made.structure(), SHIFTS[slice_id], seed=slice_id)
    image = image.astype(np.float32)
    axis = np.zeros((3, 1, *image.shape), np.float32)
    axis[1] = np.isfinite(image)
    arrays = {"aip": image, "ori": np.where(np.isfinite(image), 88 * (-1) ** slice_id, np.nan)}
    paths = {role: folder / f"s{slice_id}_{role}.nii.gz" for role in (*arrays, "axis3d")}
    for role, array in {**arrays, "axis3d": axis}.items():
        write_nifti(paths[role], array.astype(np.float32), voxel_size_mm=VOXEL_MM)
    volume = folder / f"s{slice_id}_dBI.ome.zarr"
    cube = image[None] + 100 * np.arange(DEPTH_PX, dtype=np.float32)[:, None, None]
    write_volume(
        volume,
        Plan(cube.shape, VOXEL_MM, "dBI", chunk_px=(16, 16, 16), shard_px=(32, 64, 64)),
        block_of=lambda *w: cube[w],
    )  # fmt: skip
    maps = [product(paths[role], role) for role in arrays]
    unit = {"slice": slice_id, "mosaic": 2 * slice_id - 1, "illumination": "normal"}
    return {
        "stitched": write_flag(folder / f"s{slice_id}.stitched", outputs=maps, unit=unit),
        "volumes": write_flag(
            folder / f"s{slice_id}.v", outputs=[product(volume, "dBI")], unit=unit
        ),
        "registered": write_flag(
            folder / f"s{slice_id}.r",
            "register_slice",
            outputs=[product(paths["axis3d"], "axis3d")],
            unit={"slice": slice_id},
        ),
    }


def stacked(made, folder, out, *, slices=(1, 2, 4), threads=1, slices_asked="all", **changes):
    flags = [write_slice(made, folder, slice_id) for slice_id in slices]
    chosen = [i for i in slices if slices_asked == "all" or i in slices_asked]
    stitched = {i: f["stitched"] for i, f in zip(slices, flags, strict=True) if i in chosen}
    return stack_slices(
        placed=write_placed(stitched, folder, SETTINGS),
        **{name: [f[name] for f in flags] for name in ("stitched", "volumes", "registered")},
        overview=out / "overview.jpg",
        folder=out,
        reference="normal",
        slice_thickness_um=50,
        instrument=Instrument(),
        settings=SETTINGS.model_copy(update={**changes, "slices": slices_asked}),
        threads=threads,
    )


@pytest.fixture(scope="module")
def outcome(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    return stacked(made, folder, folder / "out")


def path_of(outcome, role):
    return Path(next(p.path for p in outcome.outputs if p.role == role))


def read(outcome, role):
    return read_nifti(path_of(outcome, role))


def test_shifts_are_recovered_and_accumulated(outcome):
    placement = json.loads((path_of(outcome, "placement")).read_text())
    for slice_id, shift in SHIFTS.items():
        assert np.hypot(*np.subtract(placement["slices"][str(slice_id)]["shift_px"], shift)) < 0.25


def test_stacked_maps_lie_on_each_other(outcome):
    planes = read(outcome, "stack_aip")
    gaps = planes[[1, 3]] - planes[0]
    assert planes.shape[0] == 4
    assert np.nanmedian(np.abs(gaps)) < 0.8
    assert np.abs(np.nanmean(gaps)) < 0.1


def test_a_missing_slice_is_a_gap_and_a_warning(outcome):
    assert np.isnan(read(outcome, "stack_aip")[2]).all()
    assert not read(outcome, "stack_axis3d")[:, 2].any()
    assert "slice 3: not there, a gap" in outcome.warnings
    assert outcome.qc["slices_missing"] == 1


def test_voxels_are_as_thick_as_slices(outcome):
    assert read_voxel_size_mm(path_of(outcome, "stack_aip")) == pytest.approx((0.01, 0.01, 0.05))


def test_axes_keep_unit_length(outcome):
    axes = read(outcome, "stack_axis3d")
    length = np.linalg.norm(axes, axis=0)
    assert axes.shape[:2] == (3, 4)
    np.testing.assert_allclose(length[length > 0], 1, rtol=1e-5)


def test_volumes_are_joined_at_their_depths_with_skirts(outcome):
    volume = np.asarray(read_volume(path_of(outcome, "stack_dBI"))[:, 65, 70])
    assert volume.size == 4 * 20
    np.testing.assert_allclose(np.diff(volume[4:19]), 100, atol=1e-2)
    # Below slice 1, at stack depth 20, its depth 24 gives way to depth 4 of slice 2.
    texture = np.median(volume[3:20] - 100 * np.arange(7, 24))
    expected = [0.75 * 24 + 0.25 * 4, 0.5 * 25 + 0.5 * 5, 0.25 * 26 + 0.75 * 6]
    np.testing.assert_allclose(volume[20:23] - texture, np.multiply(expected, 100), atol=5)
    assert np.isnan(volume[43:60]).all()
    np.testing.assert_allclose(np.diff(volume[63:80]), 100, atol=1e-2)


def test_the_same_slices_give_the_same_bytes_for_any_number_of_threads(made, tmp_path, outcome):
    again = stacked(made, tmp_path, tmp_path / "again", threads=2)
    assert [p.id for p in again.outputs] == [p.id for p in outcome.outputs]


def test_a_slice_without_a_volume_is_a_gap_in_the_volume(made, tmp_path):
    flags = {i: write_slice(made, tmp_path, i) for i in (1, 2)}
    outcome = stack_slices(
        stitched=[f["stitched"] for f in flags.values()],
        volumes=[flags[1]["volumes"]],
        registered=[],
        placed=[],
        overview=tmp_path / "o.jpg", folder=tmp_path / "out", reference="normal",
        slice_thickness_um=50, instrument=Instrument(), settings=SETTINGS, threads=1,
    )  # fmt: skip
    assert "slice 2: no dBI, a gap in stack_dBI" in outcome.warnings


def test_slices_that_are_not_asked_for_are_gaps_without_a_warning(made, tmp_path):
    outcome = stacked(made, tmp_path, tmp_path / "out", volumes=(), slices_asked=(1, 4))
    planes = read(outcome, "stack_aip")
    assert [bool(np.isfinite(plane).any()) for plane in planes] == [True, False, False, True]
    assert outcome.warnings == []
    assert {p.path.rsplit("/")[-1][:2] for p in outcome.inputs} == {"s1", "s4"}


def test_a_slice_that_is_asked_for_and_lacking_is_a_warning(made, tmp_path):
    outcome = stacked(made, tmp_path, tmp_path / "out", volumes=(), slices_asked=(1, 2, 7))
    assert outcome.warnings == ["slice 7: not there, a gap"]
    assert read(outcome, "stack_aip").shape[0] == 2


def test_one_slice_is_a_stack_too(made, tmp_path):
    outcome = stacked(made, tmp_path, tmp_path / "out", slices=(2,))
    assert {"stack_aip", "stack_axis3d", "stack_dBI"} <= {p.role for p in outcome.outputs}


def test_nothing_to_stack_is_refused(tmp_path):
    with pytest.raises(DataError, match="0 slices of normal"):
        stack_slices(
            stitched=[], volumes=[], registered=[], placed=[],
            overview=tmp_path / "o.jpg", folder=tmp_path,
            reference="normal", slice_thickness_um=50, instrument=Instrument(),
            settings=SETTINGS, threads=1,
        )  # fmt: skip
