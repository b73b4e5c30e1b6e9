import gzip
import os
import resource
import subprocess

import pytest

from octflow.core.errors import TileError
from octflow.core.experiment import Illumination
from octflow.core.record import Unit
from octflow.core.settings import Retries
from octflow.io.records import write_record
from octflow.stages.archive.files import archive_batch
from octflow.stages.archive.settings import ArchiveSettings
from octflow.stages.ingest.files import start_batch
from octflow.workflow.records import Attempt

import runs

ROW = Illumination(name="normal", grid_size_x=1)


def attempt(rule, **parameters):
    unit = Unit(project="p", slice=1, mosaic=1, batch=1)
    return Attempt("ingest", rule, unit, [], parameters, 1, "tile", 1)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The flag of a batch with two tiles and a declared hole."""
    monkeypatch.chdir(tmp_path)
    inventory = [{"tile": 3, "missing": "laser off"}]
    for tile in (1, 2):
        path = tmp_path / f"raw-{tile}.nii"
        path.write_bytes(bytes([tile]) * 1000)
        entry = {"tile": tile, "path": str(path), "bytes": 1000, "modified_s": 5}
        inventory.append(entry)
    outcome = start_batch(
        mosaic_started=tmp_path, illumination=ROW, acquisition={}, inventory=inventory
    )
    flag = tmp_path / "batch-001.started"
    write_record(flag, attempt("start_batch", inventory=inventory).succeeded(outcome, {}))
    return flag


def archive(started, folder, illumination=ROW):
    return archive_batch(
        started=started,
        converted=[],
        processed=[],
        folder=folder,
        subject="I46",
        illumination=illumination,
        settings=ArchiveSettings(retries=Retries(first_wait_s=0)),
        threads=1,
    )


def test_archived_tiles_unpack_to_the_raw_bytes(started, tmp_path):
    archive(started, tmp_path / "archived")
    path = tmp_path / "archived" / "sub-I46_sample-slice001_chunk-0002_acq-normal_OCT.nii.gz"
    assert gzip.decompress(path.read_bytes()) == (tmp_path / "raw-2.nii").read_bytes()


def test_the_checksum_file_is_what_sha256sum_checks(started, tmp_path):
    archive(started, tmp_path / "archived")
    for path in (tmp_path / "archived").glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    check = ["sha256sum", "--check", "--strict", "batch-001.sha256"]
    subprocess.run(check, cwd=tmp_path / "archived", check=True, capture_output=True)


def test_a_vanished_raw_file_leaves_the_others_archived(started, tmp_path):
    (tmp_path / "raw-1.nii").unlink()
    outcome = archive(started, tmp_path / "archived")
    assert [t.tile for t in outcome.tiles.failed] == [1]
    assert "raw-1.nii: found no such file" in outcome.tiles.failed[0].reason
    assert len(list((tmp_path / "archived").glob("*chunk-0002*"))) == 1


def test_an_interleaved_raw_file_is_archived_once_with_the_first_illumination(started, tmp_path):
    second = ROW.model_copy(update={"lane": 1, "n_lanes": 2})
    outcome = archive(started, tmp_path / "archived", illumination=second)
    assert outcome.outputs == []
    assert outcome.qc == {"archived_with_mosaic": 0}


def test_a_raw_file_of_another_size_than_taken_in_is_not_archived(started, tmp_path):
    (tmp_path / "raw-1.nii").write_bytes(b"short")
    outcome = archive(started, tmp_path / "archived")
    assert "found 5 bytes, expected 1000 bytes" in outcome.tiles.failed[0].reason
    assert list((tmp_path / "archived").glob("*chunk-0001*")) == []


def test_a_file_where_the_folder_should_be_fails_the_batch(started, tmp_path):
    (tmp_path / "archived").write_text("")
    with pytest.raises(TileError, match="archived: found file exists"):
        archive(started, tmp_path / "archived")


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    runs.mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_half_written(started, full_disk, tmp_path):
    (full_disk / "filler").write_bytes(bytes(60_000))
    (full_disk / "records").mkdir()
    for tile in (1, 2):
        (tmp_path / f"raw-{tile}.nii").write_bytes(os.urandom(1000))
    with pytest.raises(TileError, match="no space left on device, expected room") as caught:
        archive(started, full_disk)
    assert caught.value.kind == "resource"
    assert list(full_disk.rglob(".part-*")) == []


def test_a_limit_of_file_sizes_is_said_like_a_full_disk(started, tmp_path):
    for tile in (1, 2):
        (tmp_path / f"raw-{tile}.nii").write_bytes(os.urandom(1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(TileError, match="file too large, expected room") as caught:
            archive(started, tmp_path / "archived")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.kind == "resource"
    assert [p for p in (tmp_path / "archived").rglob("*") if p.is_file()] == []


def test_raw_files_are_never_changed(started, tmp_path):
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.glob("raw-*")}
    archive(started, tmp_path / "archived")
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.glob("raw-*")}
