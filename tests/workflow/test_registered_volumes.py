"""Volumes of the illuminations of a slice, asked for in a real run."""

import numpy as np
import pytest
import yaml

from octflow.io.nifti import read_nifti
from octflow.io.omezarr import read_volume
from octflow.io.records import read_record
from octflow.simulate.accuracy import accuracy_table

import runs

pytestmark = pytest.mark.slow


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
