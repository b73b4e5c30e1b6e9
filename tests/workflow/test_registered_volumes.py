"""Volumes of the illuminations of a slice in a real run, and sent as a dataset of BIDS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from octflow.core.bids import RAW_NAME, raw_ids, result_ids
from octflow.core.layout import flag
from octflow.core.names import VOLUMES
from octflow.io.nifti import read_nifti
from octflow.io.omezarr import read_volume, read_volume_voxel_size_mm
from octflow.io.records import read_record
from octflow.simulate.accuracy import accuracy_table

import runs

pytestmark = pytest.mark.slow

UPLOADS = [
    str(flag("upload_batch", mosaic=1, batch=1)),
    str(flag("upload_mosaic", mosaic=1)),
    str(flag("upload_volume", mosaic=1)),
    str(flag("upload_slice", slice=1)),
    str(flag("upload_dataset")),
]
NORMAL = "sub-I46_sample-slice001_acq-normaldBI_OCT"


def ask_for(folder, **options):
    """Change section `register` of the configuration."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["archive"] = {"enabled": False}
    config["register"] = config["register"] | options
    path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """One slice registered; then with its volumes, and what the second run said."""
    folder = tmp_path_factory.mktemp("volumes") / "tiny"
    runs.simulate(folder, "tiny", "--format", "complex", "--slices", "1")
    ask_for(folder)
    status, first = runs.snakemake(folder, cores=2)
    assert status == 0, first
    assert "register_volumes" not in first
    ask_for(folder, volumes=["dBI"], inclination=True)
    status, second = runs.snakemake(folder, cores=2)
    assert status == 0, second
    return folder, second


@pytest.fixture(scope="module")
def record(said):
    return read_record(said[0] / "project" / "state" / "slice-001.volumes_registered")


def volume(said, record, role):
    (one,) = (p for p in record.outputs if p.role == role)
    return np.asarray(read_volume(said[0] / "project" / one.path)[:])


def test_asking_for_volumes_makes_them_and_nothing_else_anew(said):
    assert "register_volumes" in said[1]
    for rule in ("register_slice", "stitch_volume", "stack_slices"):
        assert rule not in said[1]


def base_px(folder, mosaic):
    flag = f"mosaic-00{mosaic}/state/mosaic-00{mosaic}.volume_stitched"
    return read_record(folder / "project" / flag).qc["base_px_dBI"]


def test_the_record_tells_what_was_made(record):
    made = {p.role for p in record.outputs}
    assert made == {"dBI_tilted", "inclination", "azimuth", "dn", "overview"}
    assert record.warnings == []


def test_the_depths_lie_as_the_simulator_made_them(said, record):
    # Surfaces are 1 / cos 15 degrees as deep in the tilted tiles; volumes begin at base - 30.
    fixed, moving = (base_px(said[0], mosaic) for mosaic in (1, 2))
    expected = (fixed - 30) / np.cos(np.deg2rad(15)) - (moving - 30)
    assert record.qc["tilted_depth_shift_px"] == pytest.approx(expected, abs=0.7)
    assert record.qc["tilted_surface_residual_px"] < 1


def test_intensities_of_both_views_lie_on_each_other(said, record):
    moved = volume(said, record, "dBI_tilted")
    fixed = read_volume(said[0] / "project/mosaic-001/stitched/mosaic_001_dBI.ome.zarr")[:]
    both = np.isfinite(moved) & np.isfinite(fixed)
    assert both.mean() > 0.3
    # Agar is dark and tissue bright, on either side of the surface; speckle differs.
    assert np.corrcoef(moved[both], fixed[both])[0, 1] > 0.8


def test_fibres_of_voxels_are_near_the_truth(said, record):
    rows = {row.name: row for row in accuracy_table(said[0] / "project", said[0] / "truth")}
    assert rows["inclination of voxels"].value < 10
    assert rows["3-D axis of voxels"].value < 10


def test_there_are_no_fibres_above_the_tissue(said, record):
    found = volume(said, record, "inclination")
    surface = read_nifti(said[0] / "truth" / "mosaic_001_surface.nii")
    above = int(surface.min() - base_px(said[0], 1) + 30) - 2
    assert np.isnan(found[:above]).all()
    assert np.isfinite(found).any()


def test_a_run_after_that_has_nothing_to_do(said):
    status, again = runs.snakemake(said[0])
    assert status == 0
    assert "Nothing to be done" in again


@pytest.fixture(scope="module")
def dataset(said):
    """All kinds of products in a folder, by names of BIDS."""
    if not os.environ.get("CI"):
        pytest.importorskip("dandi")
    folder = said[0]
    (folder / "disk").mkdir()
    send(folder)
    status, sent = runs.snakemake(folder, *UPLOADS)
    assert status == 0, sent
    return folder / "disk"


def send(folder, **options):
    """Have products sent by names of BIDS."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["project"]["subject"] = "I46"
    config["archive"] = {"enabled": True, "level": 1}
    target = {"kind": "folder", "folder": str(folder / "disk")}
    about = {"authors": ["A. Author"], "species": "homo sapiens"}
    config["upload"] = {"target": target, "names": "bids", "dataset": about, **options}
    path.write_text(yaml.safe_dump(config))


def dandi_validate(dandiset):
    """Return the exit status of `dandi validate`, and what it said."""
    (dandiset / "dandiset.yaml").write_text("identifier: '000052'\nname: brain\n")
    here = Path(sys.executable).parent
    quiet = {"DANDI_NO_ET": "1", "DANDI_CACHE": "ignore", "HOME": str(dandiset.parent)}
    done = subprocess.run(
        [here / "dandi", "validate", "--min-severity", "ERROR", str(dandiset)],
        capture_output=True,
        text=True,
        env=os.environ | quiet | {"PATH": f"{here}:{os.environ['PATH']}"},
    )
    return done.returncode, done.stdout + done.stderr


def test_dandi_finds_no_error_in_the_dataset_but_one_that_is_made(dataset):
    status, found = dandi_validate(dataset)
    assert status == 0, found
    assert "No errors found" in found
    sidecar = dataset / "sub-I46" / "micr" / f"{NORMAL}.json"
    wrong = sidecar.with_name(sidecar.name.replace("sample-slice001", "sample-slice-001"))
    sidecar.rename(wrong)
    status, found = dandi_validate(dataset)
    wrong.rename(sidecar)
    assert (status, f"{wrong}" in found, "INVALID_ENTITY_LABEL" in found) == (1, True, True), found


def test_names_in_the_dataset_tell_what_each_file_is_of(dataset):
    flags = [read_record(dataset.parent / "project" / path) for path in UPLOADS[:-1]]
    names = {asset.path for record in flags for asset in record.assets}
    read = {name: raw_ids(RAW_NAME, name) or result_ids(name, VOLUMES) for name in names}
    unread = {name for name, found in read.items() if found is None}
    assert unread == {"rawdata/sub-I46/mosaic-001_batch-001.sha256"}
    ids, suffix = read[f"sub-I46/micr/{NORMAL}.json"]
    assert (ids.slice, ids.illumination, ids.product, suffix) == (1, "normal", "dBI", ".json")


def test_a_sidecar_has_the_voxels_of_its_volume_and_the_program_that_made_it(dataset):
    micr = dataset / "sub-I46" / "micr"
    said = json.loads((micr / f"{NORMAL}.json").read_text())
    assert said["PixelSize"] == list(read_volume_voxel_size_mm(micr / f"{NORMAL}.ome.zarr"))
    code = read_record(dataset.parent / "project" / flag("join_volumes", mosaic=1)).code
    (program,) = said["GeneratedBy"]
    assert (program["Name"], code.commit[:12] in program["Version"]) == ("octflow", True)


def test_how_it_is_validated_has_nothing_sent_anew(dataset):
    send(dataset.parent, validate=False)
    assert "Nothing to be done" in runs.snakemake(dataset.parent, *UPLOADS)[1]
