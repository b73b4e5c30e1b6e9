import gzip
import subprocess

import pytest

from octflow.core.experiment import Illumination
from octflow.core.record import Unit
from octflow.io.records import write_record
from octflow.stages.ingest.files import archive_batch, start_batch
from octflow.stages.ingest.settings import IngestSettings
from octflow.workflow.records import Attempt

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


def archive(started, folder):
    return archive_batch(
        started=started,
        folder=folder,
        subject="I46",
        illumination=ROW,
        settings=IngestSettings(),
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
    with pytest.raises(Exception, match=r"raw-1.nii"):
        archive(started, tmp_path / "archived")
    assert len(list((tmp_path / "archived").glob("*chunk-0002*"))) == 1


def test_raw_files_are_never_changed(started, tmp_path):
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.glob("raw-*")}
    archive(started, tmp_path / "archived")
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.glob("raw-*")}
