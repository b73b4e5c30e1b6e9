import json
import os

import pytest

from octflow.core.layout import flag
from octflow.services.watch.attempts import Attempts
from octflow.services.watch.looks import Looks
from octflow.services.watch.origins import Origins
from octflow.services.watch.targets import Inventories, Scan
from octflow.workflow.config import read_config
from octflow.workflow.lanes import WatchSettings
from octflow.workflow.session import Session

ROWS = [{"name": "normal", "grid_size_x": 1}, {"name": "tilted", "grid_size_x": 1, "tilt_deg": -15}]


class Project:
    """One slice of two mosaics of one tile each; products are flags alone."""

    def __init__(self, base):
        self.base, self.now_s, self.written = base, 0.0, 0
        (base / "raw").mkdir()
        self.uploads = False
        values = self.values = {
            "project": {"folder": str(base / "project")},
            "acquisition": {"folder": str(base / "raw")},
            "experiment": {"grid_size_y": 1, "illuminations": ROWS},
            "ingest": {"stable_seconds": 0},
            "archive": {"enabled": False},
        }
        self.session = lambda: Session(read_config(values), base)
        self.looks = Looks(30, now_s=lambda: self.now_s)
        self.origins = Origins(base / "project")
        self.current = set()

    def acquire(self, mosaic, content="tile"):
        path = self.base / "raw" / f"mosaic_{mosaic:03d}_image_0001_spectral_0001.nii"
        path.write_text(content)
        os.utime(path, (4e9, 4e9))  # The microscope's clock is decades ahead.

    def make(self, rule, *, of=(), **unit):
        """Write a flag, made of the records `of`: paths of flags, and their ids."""
        path = self.base / "project" / flag(rule, **unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        inventory = self.session().ready.inventory(**unit) if "batch" in unit else []
        self.written += 1
        body = {
            "record_id": f"sha256:{self.written}",
            "inputs": [
                {"path": path, "id": id_, "role": "record"} for path, id_ in dict(of).items()
            ],
            "parameters": {"inventory": inventory},
        }
        path.write_text(json.dumps(body))
        os.utime(path, (self.written, self.written))

    def process(self, mosaic):
        for rule in ("start_batch", "process_batch"):
            self.make(rule, mosaic=mosaic, batch=1)

    def stitch(self, mosaic):
        for rule in ("stitch_enface", "join_volumes"):
            self.make(rule, mosaic=mosaic)

    def ids(self, rule, **unit):
        """Return the id of a flag by its path, as a job finds it that begins now."""
        path = flag(rule, **unit)
        return {str(path): json.loads((self.base / "project" / path).read_text())["record_id"]}

    def look(self):
        current = lambda target: target.path in self.current  # noqa: E731
        return Scan(self.session(), self.looks, Inventories(), self.origins, current)

    def scan(self):
        found = self.look().targets
        lanes = {lane: [target.path.split("/")[-1] for target in found[lane]] for lane in found}
        return lanes if self.uploads else {k: v for k, v in lanes.items() if k != "upload" or v}

    def upload(self, *levels, names="project", **sections):
        """Send products of these levels to an archive."""
        target = {"kind": "folder", "folder": "/archive"}
        self.uploads = True
        self.values |= {"upload": {"target": target, "levels": levels, "names": names}, **sections}


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_a_tile_is_complete_by_our_own_clock(project):
    project.acquire(1)
    assert project.scan()["tile"] == []
    project.now_s = 29.0
    project.acquire(1, "grown tile")
    assert project.scan()["tile"] == []
    project.now_s = 58.0
    assert project.scan()["tile"] == []
    project.now_s = 59.0
    assert project.scan()["tile"] == ["batch-001.processed"]


def test_lanes_follow_each_other_through_flags(project):
    for mosaic in (1, 2):
        project.acquire(mosaic)
        project.process(mosaic)
    stitched = [f"mosaic-00{m}.{kind}stitched" for m in (1, 2) for kind in ("", "volume_")]
    assert project.scan() == {"tile": [], "stitch": stitched, "register": []}
    project.stitch(1)
    project.stitch(2)
    assert project.scan() == {"tile": [], "stitch": [], "register": ["slice-001.registered"]}
    project.make("register_slice", slice=1)
    assert project.scan() == {"tile": [], "stitch": ["project.stacked"], "register": []}
    project.make("stack_slices")
    assert project.scan() == {"tile": [], "stitch": [], "register": []}


def test_a_rewritten_tile_has_its_batch_made_again_and_holds_up_its_mosaic(project):
    project.acquire(1)
    project.process(1)
    assert project.scan()["stitch"] != []
    project.acquire(1, "another tile")
    assert project.scan() == {"tile": [], "stitch": [], "register": []}
    project.now_s = 30.0
    assert project.scan() == {"tile": ["batch-001.processed"], "stitch": [], "register": []}


def test_what_is_there_is_made_unless_it_is_asked_for(project):
    path = str(flag("process_batch", mosaic=1, batch=1))
    project.acquire(1)
    assert not project.look().is_made(path)
    project.process(1)
    assert project.look().is_made(path)
    project.acquire(1, "another tile")
    assert not project.look().is_made(path)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"inputs": [1], "parameters": 1}'])
def test_a_flag_that_is_no_record_does_not_end_the_watcher(project, content):
    project.acquire(1)
    project.process(1)
    for rule in ("start_batch", "process_batch"):
        (project.base / "project" / flag(rule, mosaic=1, batch=1)).write_text(content)
    project.stitch(1)
    for rule in ("stitch_enface", "join_volumes"):
        (project.base / "project" / flag(rule, mosaic=1)).write_text(content)
    project.scan()
    project.now_s = 30.0
    assert project.scan()["tile"] == ["batch-001.processed"]
    project.make("start_batch", mosaic=1, batch=1)
    assert project.scan()["tile"] == []


def test_a_mosaic_older_than_a_batch_is_asked_for_unless_snakemake_knows_better(project):
    project.acquire(1)
    project.stitch(1)
    project.process(1)
    paths = [str(flag(rule, mosaic=1)) for rule in ("stitch_enface", "join_volumes")]
    assert project.scan()["stitch"] == ["mosaic-001.stitched", "mosaic-001.volume_stitched"]
    project.current = set(paths)
    assert project.scan()["stitch"] == []


def test_a_flag_that_was_set_aside_is_asked_for_whatever_snakemake_knew_of_it(project):
    project.acquire(1)
    project.stitch(1)
    project.process(1)
    attempts = Attempts(WatchSettings(), now_s=lambda: 0.0)

    def due():
        scan = Scan(
            project.session(), project.looks, Inventories(), project.origins, attempts.current
        )
        return attempts.due(scan.targets["stitch"])

    for target in due():
        attempts.succeeded(target, changed=False)
    assert due() == []
    stitched = flag("stitch_enface", mosaic=1)
    (project.base / "project" / stitched).unlink()
    assert [target.path for target in due()] == [str(stitched)]


def test_what_is_made_is_uploaded_and_nothing_waits_for_that(project):
    project.upload("mosaic", "volume", "slice")
    for mosaic in (1, 2):
        project.acquire(mosaic)
        project.process(mosaic)
    assert project.scan()["upload"] == []
    project.stitch(1)
    project.stitch(2)
    uploads = [f"mosaic-00{m}.{kind}uploaded" for kind in ("", "volume_") for m in (1, 2)]
    assert project.scan()["upload"] == uploads
    project.make("upload_mosaic", mosaic=1)
    assert project.scan()["upload"] == uploads[1:]
    assert project.scan()["register"] == ["slice-001.registered"]


def test_raw_tiles_are_uploaded_from_their_archive_and_again_when_that_is_newer(project):
    project.upload("batch", archive={"enabled": True})
    project.acquire(1)
    project.process(1)
    assert project.scan()["upload"] == []
    project.make("archive_batch", mosaic=1, batch=1)
    assert project.scan()["upload"] == ["batch-001.uploaded"]
    project.make("upload_batch", mosaic=1, batch=1)
    assert project.scan()["upload"] == []
    project.make("archive_batch", mosaic=1, batch=1)
    assert project.scan()["upload"] == ["batch-001.uploaded"]


def test_a_slice_is_uploaded_with_its_volumes_where_they_are_registered(project):
    project.upload("slice", register={"volumes": ["dBI"]})
    for mosaic in (1, 2):
        project.acquire(mosaic)
        project.process(mosaic)
        project.stitch(mosaic)
    project.make("register_slice", slice=1)
    assert project.scan()["upload"] == []
    project.make("register_volumes", slice=1)
    assert project.scan()["upload"] == ["slice-001.uploaded"]


def test_a_dataset_is_described_when_a_slice_has_begun_and_again_with_the_next(project):
    project.upload(names="bids")
    project.acquire(1)
    project.process(1)
    assert project.scan()["upload"] == []
    project.make("start_slice", slice=1)
    assert project.scan()["upload"] == ["dataset.uploaded"]
    project.make("upload_dataset")
    assert project.scan()["upload"] == []
    project.acquire(3)
    assert project.scan()["upload"] == []
    project.make("start_slice", slice=2)
    assert project.scan()["upload"] == ["dataset.uploaded"]


def test_what_was_replaced_while_a_job_read_it_is_read_again(project):
    for mosaic in (1, 2):
        project.acquire(mosaic)
        project.process(mosaic)
        project.stitch(mosaic)
    read = project.ids("stitch_enface", mosaic=1) | project.ids("stitch_enface", mosaic=2)
    project.stitch(2)
    project.make("register_slice", slice=1, of=read)
    scan = project.look()
    assert [target.path for target in scan.targets["register"]] == ["state/slice-001.registered"]
    assert scan.anew(scan.targets["register"]) == ["state/slice-001.registered"]
    read |= project.ids("stitch_enface", mosaic=2)
    project.make("register_slice", slice=1, of=read)
    assert project.scan()["register"] == []


def test_a_flag_between_lanes_that_was_made_from_others_is_made_anew(project):
    project.acquire(1)
    project.process(1)
    read = project.ids("process_batch", mosaic=1, batch=1)
    project.process(1)
    project.make("find_tilemap", illumination="normal", of=read)
    found = project.ids("find_tilemap", illumination="normal")
    now = project.ids("process_batch", mosaic=1, batch=1)
    project.make("join_volumes", mosaic=1)
    project.make("stitch_enface", mosaic=1, of=now | found)
    scan = project.look()
    assert [target.path for target in scan.targets["stitch"]] == [
        str(flag("stitch_enface", mosaic=1))
    ]
    assert scan.anew(scan.targets["stitch"]) == ["state/tilemap-normal.found"]


def test_a_batch_whose_making_was_broken_off_after_its_first_job_is_made_again(project):
    project.acquire(1)
    project.process(1)
    project.stitch(1)
    project.acquire(1, "another tile")
    project.now_s = 30.0
    assert project.scan()["tile"] == []
    project.now_s = 60.0
    project.make("start_batch", mosaic=1, batch=1)
    assert project.scan()["tile"] == ["batch-001.processed"]
