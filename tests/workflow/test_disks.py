"""Disks that are full or may not be written to: said in one line, and made up for later."""

import subprocess

import pytest

from octflow.io.batch import read_tile_record
from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow

COMPLEX = "mosaic-001/state/batch-001.complex"
OTHER = "mosaic-002/state/batch-001.complex"
PROCESSED = "mosaic-002/state/batch-001.processed"


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """Room for one complex tile of mosaic 1; a read-only disk for the products of mosaic 2."""
    base = tmp_path_factory.mktemp("disks")
    folder = runs.acquisition(runs.simulate(base / "simulated", "tiny"), base / "tiny")
    small, sealed = (
        folder / "project" / part for part in ("mosaic-001/complex", "mosaic-002/processed")
    )
    small.mkdir(parents=True)
    sealed.mkdir(parents=True)
    runs.mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", small)
    runs.mount("-t", "tmpfs", "-o", "size=200m,ro", "tmpfs", sealed)
    yield folder, small, sealed
    subprocess.run(["umount", str(small), str(sealed)], check=True)


@pytest.fixture(scope="module")
def run(disks):
    return runs.snakemake(disks[0], COMPLEX, PROCESSED)


def test_a_full_disk_is_said_in_one_line_that_names_the_file(disks, run):
    folder, _, _ = disks
    status, said = run
    assert status == 1
    name = "mosaic-001/complex/mosaic_001_image_0002_complex.nii"
    assert f"{name}: found no space left on device, expected room for the products" in said
    assert "Traceback" not in said
    assert not (folder / "project" / COMPLEX).exists()


def test_the_tile_that_had_room_is_done_and_no_half_tile_is_left(disks, run):
    _, small, _ = disks
    assert read_tile_record(small / "records", 1) is not None
    assert read_tile_record(small / "records", 2) is None
    assert [p.name for p in small.glob("*.nii")] == ["mosaic_001_image_0001_complex.nii"]
    assert list(small.rglob(".part-*")) == []


def test_a_read_only_target_is_said_and_the_stage_before_it_stands(disks, run):
    folder, _, _ = disks
    said = run[1]
    assert "mosaic-002/processed" in said
    assert "found read-only file system, expected a folder that can be written to" in said
    assert (folder / "project" / OTHER).exists()
    assert not (folder / "project" / PROCESSED).exists()


def test_with_room_and_rights_only_what_is_lacking_is_made(disks, run):
    folder, small, sealed = disks
    kept = small / "mosaic_001_image_0001_complex.nii"
    before = kept.stat().st_mtime_ns
    runs.mount("-o", "remount,size=200m", small)
    runs.mount("-o", "remount,rw", sealed)
    status, said = runs.snakemake(folder, COMPLEX, PROCESSED)
    assert status == 0, said
    assert kept.stat().st_mtime_ns == before
    assert read_record(folder / "project" / COMPLEX).tiles.ok == [1, 2]
    assert read_record(folder / "project" / PROCESSED).tiles.ok == [1, 2]
