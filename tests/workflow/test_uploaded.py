"""Jobs that upload, as Snakemake starts them: whatever an archive does, flags are true."""

import logging
import os
from pathlib import Path

import pytest
import zarr
from snakemake.iocontainers import (
    InputFiles,
    Log,
    OutputFiles,
    Params,
    ResourceList,
    Snakemake,
    Wildcards,
)

from octflow.io.records import product, read_record
from octflow.stages.upload.files import upload_mosaic
from octflow.workflow.adapter import run

from archive_server import DANDISET, KEY, archive_server
from flags import write_flag

if not os.environ.get("CI"):
    pytest.importorskip("dandi")

UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}
FLAG, STITCHED = Path("mosaic-001.uploaded"), Path("mosaic-001.stitched")
ATTEMPTS = "lineage/upload_mosaic/slice-001_mosaic-001_illumination-normal"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An archive, and a project of a map and a volume, which are in no archive yet."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("DANDI_API_KEY", KEY)
    monkeypatch.setattr("dandi.dandiapi.REQUEST_RETRIES", 2)
    monkeypatch.setattr("dandi.files.zarr.sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    stitch(1)
    with archive_server() as running:
        yield running


@pytest.fixture(autouse=True)
def logs():
    """A job has a process to itself, and takes the log of all of it."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(kept):
        handler.close()
    root.handlers[:], root.level = kept, level


def stitch(number):
    """Write a map and a volume of one chunk, and the flag that lists them."""
    Path("aip.nii").write_text(f"map {number}")
    array = zarr.open_group("v.ome.zarr", mode="w").create_array("0", shape=(4,), dtype="u1")
    array[:] = number
    made = [product(Path("aip.nii"), "aip"), product(Path("v.ome.zarr"), "dBI")]
    write_flag(STITCHED, outputs=made, unit=UNIT)


def upload(server):
    """Run the job as its script does; Snakemake takes away the flag first."""
    FLAG.unlink(missing_ok=True)
    target = {"kind": "dandi", "instance": server.api, "dandiset": DANDISET}
    params = {
        "subject": "S1",
        "settings": {"target": target, "names": "project"},
        "limits": {"attempts": 1, "timeout_s": 0.3},
        "access": {},
        "unit": {"project": "p", **UNIT},
        "version": 1,
    }
    job = Snakemake(
        InputFiles(fromdict={"stitched": str(STITCHED)}),
        OutputFiles(fromdict={"flag": str(FLAG)}),
        Params(fromdict=params),
        Wildcards(),
        1,
        ResourceList(fromdict={"upload_pool": 1}),
        Log(fromdict={"log": "upload.log"}),
        {},
        "upload_mosaic",
        None,
    )
    run(upload_mosaic, job)


def held(server):
    """Path, digest and content of what an archive has."""
    assets = {asset["metadata"]["path"]: asset for asset in server.assets.values()}
    digests = {p: ":".join(next(iter(server.digest(a).items()))) for p, a in assets.items()}
    return digests, {path: server.content(path) for path in assets}


def contents():
    volume = Path("v.ome.zarr")
    files = (path for path in volume.rglob("*") if path.is_file())
    voxels = {str(path.relative_to(volume)): path.read_bytes() for path in files}
    return {"p/aip.nii": Path("aip.nii").read_bytes(), "p/v.ome.zarr": voxels}


ENDLESS = 40
FAULTS = {
    "no answer": ([("GET", "/info/", "hang")] * ENDLESS, "transient"),
    "busy": ([("POST", "/uploads/initialize/", 503)] * ENDLESS, "transient"),
    "refused": ([("POST", "/uploads/initialize/", 400)], "data"),
    "key revoked": ([("POST", "/zarr/", 401)], "data"),
    "cut": ([("PUT", "/s3/", "cut")] * ENDLESS, "transient"),
    "wrong ETag": ([("PUT", "/s3/.*/1$", "wrong")] * ENDLESS, "transient"),
    "not registered": ([("POST", "/assets/", 500)] * ENDLESS, "transient"),
    "not told": ([("GET", "/assets/[^/]+/$", 500)] * ENDLESS, "transient"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_no_flag_and_the_next_attempt_a_true_one(server, fault):
    server.faults, kind = list(FAULTS[fault][0]), FAULTS[fault][1]
    server.hang_s = 0.5
    with pytest.raises(SystemExit):
        upload(server)
    failed = read_record(Path(ATTEMPTS, "attempt-001.json"))
    assert (FLAG.exists(), failed.status, failed.error.kind) == (False, "failed", kind)
    server.faults = []
    upload(server)
    digests, found = held(server)
    assert {a.path: a.digest for a in read_record(FLAG).assets} == digests
    assert found == contents()


def test_an_archive_that_changes_what_it_took_gets_no_flag(server):
    server.rotten = True
    with pytest.raises(SystemExit):
        upload(server)
    assert not FLAG.exists()
    assert "aip.nii in the archive: found dandi:dandi-etag" in Path("upload.log").read_text()


def test_what_is_stitched_anew_and_then_as_before_is_what_the_flag_says(server):
    sent = []
    for number in (1, 2, 1):
        stitch(number)
        upload(server)
        record = read_record(FLAG)
        digests, found = held(server)
        assert {a.path: a.digest for a in record.assets} == digests
        assert found == contents()
        sent.append(record.qc["files_sent"])
    upload(server)
    assert sent == [4, 2, 1]  # The archive keeps files, and has the first map still.
    assert read_record(FLAG).qc["files_sent"] == 0


def test_the_key_is_in_no_file_of_the_project(server):
    upload(server)
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert {FLAG, Path("upload.log")} <= set(files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
