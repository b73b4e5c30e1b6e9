"""Whole grid columns that were never scanned: holes, told in the record, never a failure."""

import subprocess
import sys

import numpy as np
import pytest

from octflow.io.nifti import read_nifti
from octflow.io.records import listed, read_record

import runs

pytestmark = pytest.mark.slow

MISSING = {2: (3, 4), 3: (1, 2), 4: (1, 2, 3, 4)}
"""Of 2 x 2 tiles: the last column in the template of the tilted view; in slice 2 the first column
of the normal view, and all of the tilted one."""


@pytest.fixture(scope="module")
def holed(tmp_path_factory):
    base = tmp_path_factory.mktemp("columns")
    folder = runs.acquisition(runs.simulate(base / "simulated", "tiny"), base / "tiny")
    (folder / "project").mkdir()
    for mosaic, tiles in MISSING.items():
        for tile in tiles:
            next((folder / "raw").glob(f"mosaic_{mosaic:03d}_image_{tile:04d}_*")).unlink()
        declare = [sys.executable, "-m", "octflow.cli", "declare-missing", *map(str, tiles)]
        options = ["--mosaic", str(mosaic), "--reason", "laser off"]
        options += ["--project", str(folder / "project")]
        subprocess.run([*declare, *options], check=True, capture_output=True)
    flags = [f"mosaic-{m:03d}/state/mosaic-{m:03d}.stitched" for m in (1, 2, 3, 4)]
    status, said = runs.snakemake(folder, *flags, cores=2)
    assert status == 0, said
    return folder


@pytest.mark.parametrize("mosaic", MISSING)
def test_missing_columns_are_told_with_their_reason(holed, mosaic):
    flag = f"mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.stitched"
    record = read_record(holed / "project" / flag)
    told = {hole.tile: hole.reason for hole in record.tiles.missing}
    assert told == dict.fromkeys(MISSING[mosaic], "laser off")
    assert record.warnings[0].startswith(f"{len(told)} of 4 tiles are holes: ")
    # Tiles overlap by 0.4: of two columns, 1.6 wide, one is 1 wide.
    coverage = 1 / 1.6 if len(told) == 2 else 0
    assert record.qc["coverage_fraction"] == pytest.approx(coverage, abs=0.05)


@pytest.mark.parametrize("mosaic", MISSING)
def test_maps_have_values_where_there_are_tiles(holed, mosaic):
    project = holed / "project"
    record = read_record(project / f"mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.stitched")
    aip = np.isfinite(read_nifti(project / listed(record, "aip")[0].path))
    kept = {2: (True, False), 3: (False, True), 4: (False, False)}[mosaic]
    assert (aip[:, :16].any(), aip[:, -16:].any()) == kept
