"""Slices that lack an illumination, all tissue or a mosaic: the others go on, all of it is told."""

import subprocess
import sys

import numpy as np
import pytest

from octflow.io.nifti import read_nifti
from octflow.io.records import listed, read_record

import runs

pytestmark = pytest.mark.slow

DECLARED = (4, 5, 6)
"""Of two mosaics a slice: the tilted one of slice 2, and both of slice 3."""
NOT_ARRIVED = 8
"""The tilted one of slice 4, about which nobody has said anything."""


def remove(folder, mosaic):
    for path in (folder / "raw").glob(f"mosaic_{mosaic:03d}_image_*"):
        path.unlink()


@pytest.fixture(scope="module")
def lacking(tmp_path_factory):
    base = tmp_path_factory.mktemp("slices")
    folder = runs.acquisition(runs.smallest(base / "simulated", slices=4), base / "tiny")
    (folder / "project").mkdir()
    remove(folder, NOT_ARRIVED)
    for mosaic in DECLARED:
        remove(folder, mosaic)
        declare = [sys.executable, "-m", "octflow.cli", "declare-missing", "1"]
        options = ["--mosaic", str(mosaic), "--reason", "laser off"]
        options += ["--project", str(folder / "project")]
        subprocess.run([*declare, *options], check=True, capture_output=True)
    return folder, *runs.snakemake(folder, cores=2)


def record_of(lacking, flag):
    return read_record(lacking[0] / "project" / "state" / flag)


def test_the_run_goes_on_and_exits_0(lacking):
    assert lacking[1] == 0, lacking[2]


@pytest.mark.parametrize(("slice_id", "views"), [(1, 2), (2, 1), (3, 0)])
def test_the_record_says_how_many_illuminations_were_used(lacking, slice_id, views):
    record = record_of(lacking, f"slice-{slice_id:03d}.registered")
    assert record.qc["views"] == views
    assert bool(listed(record, "axis3d")) == (views == 2)
    lost = [w for w in record.warnings if "no tissue seen under" in w]
    assert len(lost) == 2 - views
    assert (f"slice {slice_id}: no tissue in any view, so no fibre axes" in record.warnings) == (
        views == 0
    )


def test_the_mosaic_that_has_not_arrived_is_waited_for(lacking):
    folder, _, said = lacking
    assert (folder / "project" / "mosaic-007" / "state" / "mosaic-007.stitched").exists()
    assert not (folder / "project" / "state" / "slice-004.registered").exists()
    assert "waiting: slice 4: nothing of mosaics [8] has arrived" in said


def test_the_stack_has_gaps_where_slices_lack_something(lacking):
    record = record_of(lacking, "project.stacked")
    axes, aip = (
        read_nifti(lacking[0] / "project" / listed(record, role)[0].path)
        for role in ("stack_axis3d", "stack_aip")
    )
    there = [bool(np.any(np.nan_to_num(axes[:, plane]))) for plane in range(axes.shape[1])]
    assert there == [True, False, False]
    assert [bool(np.isfinite(plane).any()) for plane in aip] == [True, True, False]
    assert "slice 2: no axis3d, a gap in stack_axis3d" in record.warnings
