"""A slice more: what does not depend on it is neither read nor made, and the bytes are the same."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.io.nifti import write_nifti
from octflow.io.omezarr import Plan
from octflow.io.records import product, read_record
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.settings import StackSettings

from flags import write_flag
from placing import write_placed

SHIFTS = {1: (0.0, 0.0), 2: (3.5, -2.0), 3: (1.0, -1.5)}
SETTINGS = StackSettings(
    maps=("ori",), image="aip", band_px=(1.5, 10), search_px=8, top_px=4,
    skirt_px=3, chunk_px=(16, 16, 16), shard_px=(16, 64, 64),
)  # fmt: skip
VOXEL_MM = (0.01, 0.01, 0.0025)
MAPS = {"ori": "stack_ori", "axis3d": "stack_axis3d"}


def write_slice(made, folder, slice_id):
    """Write maps and axes of a slice; return its flags."""
    folder.mkdir(exist_ok=True)
    image = made.moved(made.structure(), SHIFTS[slice_id], seed=slice_id).astype(np.float32)
    axis = np.zeros((3, 1, *image.shape), np.float32)
    axis[1] = np.isfinite(image)
    arrays = {"aip": image, "ori": image - 60, "axis3d": axis}
    paths = {role: folder / f"s{slice_id}_{role}.nii" for role in arrays}
    for role, array in arrays.items():
        write_nifti(paths[role], array.astype(np.float32), voxel_size_mm=VOXEL_MM)
    maps = [product(paths[role], role) for role in ("aip", "ori")]
    unit = {"slice": slice_id, "mosaic": 2 * slice_id - 1, "illumination": "normal"}
    volume = folder / f"s{slice_id}_dBI.ome.zarr"
    cube = image + np.arange(30, dtype=np.float32)[:, None, None]
    plan = Plan(cube.shape, VOXEL_MM, "dBI", chunk_px=(16, 16, 16), shard_px=(32, 64, 64))
    write_volume(volume, plan, block_of=lambda *where: cube[where])
    axes = [product(paths["axis3d"], "axis3d")]
    return {
        "stitched": write_flag(folder / f"s{slice_id}.st", outputs=maps, unit=unit),
        "volumes": write_flag(
            folder / f"s{slice_id}.v", outputs=[product(volume, "dBI")], unit=unit
        ),
        "registered": write_flag(
            folder / f"s{slice_id}.r", "register_slice", outputs=axes, unit={"slice": slice_id}
        ),
    }


def stack(flags, out, settings=SETTINGS):
    stitched = {read_record(one["stitched"]).unit.slice: one["stitched"] for one in flags}
    return stack_slices(
        placed=write_placed(stitched, out, settings),
        **{name: [one[name] for one in flags] for name in ("stitched", "volumes", "registered")},
        overview=out / "overview.jpg", folder=out, reference="normal",
        slice_thickness_um=50, instrument=Instrument(), settings=settings, threads=1,
    )  # fmt: skip


def ids(outcome):
    return {p.role: p.id for p in outcome.outputs}


@pytest.fixture(scope="module")
def flags(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    return [write_slice(made, folder, slice_id) for slice_id in SHIFTS]


@pytest.fixture(scope="module")
def from_scratch(flags, tmp_path_factory):
    return stack(flags, tmp_path_factory.mktemp("scratch"))


@pytest.mark.parametrize("there", [(0, 1), (0, 2), (0,)])
def test_a_slice_more_gives_the_bytes_from_scratch(there, flags, from_scratch, tmp_path):
    stack([flags[i] for i in there], tmp_path)
    assert ids(stack(flags, tmp_path)) == ids(from_scratch)


@pytest.mark.parametrize("role", MAPS)
def test_maps_of_slices_that_are_there_are_not_read_again(role, made, tmp_path, from_scratch):
    flags = [write_slice(made, tmp_path / "slices", slice_id) for slice_id in SHIFTS]
    stack(flags[:2], tmp_path)
    (tmp_path / "slices" / f"s1_{role}.nii").unlink()
    assert ids(stack(flags, tmp_path))[MAPS[role]] == ids(from_scratch)[MAPS[role]]


def test_volumes_of_slices_that_are_there_are_not_read_again(made, tmp_path, from_scratch):
    flags = [write_slice(made, tmp_path / "slices", slice_id) for slice_id in SHIFTS]
    stack(flags[:2], tmp_path)
    shutil.rmtree(tmp_path / "slices" / "s1_dBI.ome.zarr")
    assert ids(stack(flags, tmp_path))["stack_dBI"] == ids(from_scratch)["stack_dBI"]


def test_another_place_of_a_slice_makes_its_planes_anew(flags, tmp_path):
    settings = SETTINGS.model_copy(update={"placement": "rounded"})
    stack(flags, tmp_path / "changed")
    changed = stack(flags, tmp_path / "changed", settings)
    assert ids(changed) == ids(stack(flags, tmp_path / "fresh", settings))


def test_a_wider_canvas_makes_everything_anew(flags, from_scratch, tmp_path):
    stack(flags, tmp_path, SETTINGS.model_copy(update={"canvas_step_px": 16}))
    assert ids(stack(flags, tmp_path)) == ids(from_scratch)


def test_headers_tell_what_maps_hold(from_scratch):
    path = next(Path(p.path) for p in from_scratch.outputs if p.role == "stack_ori")
    header = nib.load(path).header
    assert header["intent_name"].item() == b"ori"
    assert header["descrip"].item() == b"axis angle from +x towards -y [deg]"
