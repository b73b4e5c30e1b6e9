"""An acquisition at pace, and all that can go wrong in a night, all of it in the same night.

The archive does not answer, a batch fails twice, registration hangs, the watcher is killed three
times, a Snakemake process once, a tile comes after it was declared missing, another is written
anew. What is there in the end is held to a run that nothing disturbed.
"""

import json
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from itertools import chain, pairwise

import pytest
import yaml

from octflow.io.records import read_record

import acquisition
import runs
from acquisition import (
    Microscope,
    Service,
    TileCounter,
    contents,
    held_up,
    idle,
    jobs,
    octflow,
    until,
)
from loopback import form, loopback

pytestmark = pytest.mark.slow

FAILING = "process_batch/slice-001_mosaic-001_batch-001_illumination-normal"
KILLED = "slice-001_mosaic-002_batch-001_illumination-tilted"
HANGING = "sub-phantom_sample-slice001_chunk-0001_acq-normal_OCT.nii.gz"
REWRITTEN_BATCH = "process_batch/slice-002_mosaic-003_batch-001_illumination-normal"
LATE = "mosaic_002_image_0004"
REWRITTEN = "mosaic_003_image_0001"


class Night:
    """A slice and the first batch of the next, acquired while this test works against it."""

    def __init__(self, simulated, folder, server):
        self.folder = runs.acquisition(simulated, folder, archive=True)
        self.project, self.server, self.status = folder / "project", server, []
        self.names = {name[:21]: name for name in acquired(folder)}
        shutil.rmtree(folder / "raw")
        (folder / "raw").mkdir()
        self.gates = {word: threading.Event() for word in ("second batch", "tilted", "slice 2")}
        self.source = simulated / "raw"
        self.microscope = Microscope(
            self.source,
            folder / "raw",
            self.plan(),
            pace_s=1.0,
            instead={self.names[REWRITTEN]: self.names["mosaic_003_image_0002"]},
        )

    def plan(self):
        """Return what the microscope does: it waits for the test in three places."""
        before = {"mosaic_001_image_0003": "second batch", "mosaic_002_image_0001": "tilted"}
        before["mosaic_003_image_0001"] = "slice 2"
        plan = []
        for key, name in self.names.items():
            plan += [self.gates[before[key]]] if key in before else []
            plan += [name] if key != LATE else []
        return plan

    def watching(self):
        """Return the watcher, which is told to be quick and whom to tell."""
        hook = {"kind": "webhook", "name": "lab", "url": f"{self.server.url}hook"}
        slack = {"kind": "slack", "name": "slack", "channel": "C1", "api_url": self.server.url}
        configure(self.folder, [hook, slack], uploads=True)
        token = {"SLACK_BOT_TOKEN": "xoxb-not-a-token", "no_proxy": "127.0.0.1"}
        return Service("watch", self.folder / "config.yaml", log=self.folder / "watch.log", **token)

    def flag(self, name):
        return self.project / name

    def tried(self, job):
        return len(list((self.project / "lineage" / job).glob("attempt-*.json")))

    def ask_status(self):
        asked = octflow("status", self.folder / "config.yaml", "--json")
        self.status.append(json.loads(asked.stdout)["failures"])

    def run(self):
        """Go through the night."""
        in_the_way = self.project / "mosaic-001/processed/mosaic_001_image_0001_dBI.nii"
        in_the_way.mkdir(parents=True)
        hanging = self.folder / "archive" / "tiny" / "mosaic-001" / "archived" / HANGING
        hanging.parent.mkdir(parents=True)
        os.mkfifo(hanging)  # Whoever opens it, to see what the archive holds, waits.
        self.watcher = self.watching()
        self.counter = TileCounter(self.project)
        self.counter.start()
        with self.watcher.running():
            self.microscope.start()
            self.fail_twice(in_the_way)
            self.kill_snakemake()
            self.slow_registration()
            os.close(os.open(hanging, os.O_WRONLY | os.O_NONBLOCK))
            self.rewrite_a_tile_while_nobody_watches()
            self.ended = self.watcher.stop()
            self.left_running = acquisition.processes(self.folder)

    def fail_twice(self, in_the_way):
        """Let a batch fail, kill the watcher, let it fail again, and clear the way."""
        until(lambda: self.tried(FAILING) == 1)
        self.gates["second batch"].set()
        self.ask_status()
        until(lambda: jobs(self.project, "upload_batch"))
        until(self.flag("mosaic-001/state/batch-002.started").exists)
        until(lambda: jobs(self.project, "convert_batch"))
        self.watcher.kill_and_start()
        until(lambda: self.tried(FAILING) >= 2)
        self.ask_status()
        in_the_way.rmdir()
        self.gates["tilted"].set()

    def kill_snakemake(self):
        """Kill the process of the tile lane while a job of its runs, which goes on alone."""
        until(self.flag("mosaic-002/state/batch-001.started").exists)
        until(lambda: jobs(self.project, "convert_batch"))
        note = json.loads((self.project / "watch" / "lane-tile.json").read_text())
        os.kill(note["pid"], signal.SIGKILL)
        reason = ["--mosaic", "2", "--reason", "laser off", "--project", self.project]
        assert octflow("declare-missing", "4", *reason).returncode == 0

    def slow_registration(self):
        """Stop registration; meanwhile tiles come, one of them late, and the watcher is killed."""
        # It has read the stitched maps, and is writing its own.
        until((self.project / "registered" / "slice-001_axis3d.nii.gz").exists)
        with held_up(jobs(self.project, "register_slice")) as stopped:
            assert stopped
            self.gates["slice 2"].set()
            self.watcher.kill_and_start()
            until(self.flag("mosaic-003/state/batch-001.processed").exists)
            self.microscope.deliver(self.names[LATE])
            until(lambda: self.tried("stitch_enface/slice-001_mosaic-002_illumination-tilted") == 2)
        self.microscope.join()

    def rewrite_a_tile_while_nobody_watches(self):
        """Kill a watcher that has nothing to do; the next finds the tile that changed."""
        self.rest()
        self.watcher.kill()
        self.microscope.deliver(self.names[REWRITTEN])
        self.watcher.start()
        until(lambda: self.tried(REWRITTEN_BATCH) == 2)
        self.rest()

    def rest(self):
        """Wait until everything is made."""
        since_s = time.time()
        until(lambda: idle(self.project, since_s))

    def failures_told(self):
        return [e for e in self.server.events() if e["type"].endswith(".failed")]


def acquired(folder):
    """Name the tiles of two mosaics and of the first batch of a third."""
    names = sorted(path.name for path in (folder / "raw").iterdir())
    return names[:10]


def configure(folder, listeners=(), *, uploads=False):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    quick = {"first_wait_s": 0.2, "timeout_s": 5}
    if uploads:
        (folder / "archive").mkdir(exist_ok=True)
        archive = {"kind": "folder", "folder": str(folder / "archive")}
        config["upload"] = {"target": archive, "levels": ["batch", "slice"], "names": "project"}
    config["volume"] = {"modalities": []}
    config["process"] = {"retries": {"attempts": 1}}
    config["ingest"] = {"stable_seconds": 1}
    config["watch"] = {"poll_seconds": 0.5, "first_wait_s": 4}
    config["events"] = {
        "poll_seconds": 0.5,
        "listeners": [{**one, **quick} for one in listeners],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return runs.simulate(tmp_path_factory.mktemp("simulated") / "tiny", "tiny")


@pytest.fixture(scope="module")
def calm(simulated, tmp_path_factory):
    """The same tiles, all there from the beginning, in one run that goes on beside the night."""
    folder = runs.acquisition(simulated, tmp_path_factory.mktemp("calm") / "tiny", archive=True)
    configure(folder)
    for name in {path.name for path in (folder / "raw").iterdir()} - set(acquired(folder)):
        (folder / "raw" / name).unlink()
    command = runs.command(folder, "--config", "ingest={stable_seconds: 0}")
    with runs.started(command, folder / "said", dict(os.environ)) as run:
        yield folder, run


@pytest.fixture(scope="module")
def undisturbed(calm):
    folder, run = calm
    assert run.wait(acquisition.PATIENCE_S) == 0, (folder / "said").read_text()
    return folder


@pytest.fixture(scope="module")
def night(simulated, calm, tmp_path_factory):
    with loopback() as server:
        night = Night(simulated, tmp_path_factory.mktemp("night") / "tiny", server)
        try:
            night.run()
            yield night
        finally:
            acquisition.clear(night.folder)


def test_all_products_are_those_of_an_undisturbed_run(night, undisturbed):
    expected, found = runs.products(undisturbed), runs.products(night.folder)
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_the_records_list_the_same_digests_and_the_files_have_them(night, undisturbed):
    assert digests(night.folder) == digests(undisturbed)
    verified = octflow("verify", night.project)
    assert verified.returncode == 0, verified.stdout


def digests(folder):
    """Return what the flags of a project say of their products."""
    flags = [p for p in runs.flags(folder) if p.is_file() and p.suffix != ".uploaded"]
    records = {str(path.relative_to(folder)): read_record(path) for path in flags}
    return {name: [(p.path, p.id) for p in r.outputs] for name, r in records.items()}


def test_the_raw_tiles_are_as_the_microscope_left_them(night):
    simulated = contents(night.source)
    assert contents(night.folder / "raw") == {n: simulated[n] for n in night.names.values()}


def test_no_tile_is_worked_on_twice_but_the_one_that_was_written_anew(night):
    counts = night.counter.counts()
    again = {name for name, count in counts.items() if count > 1}
    kinds = ("complex", "archived", "processed")
    assert len(counts) == len(kinds) * len(night.names)
    assert again == {f"mosaic-003/{kind}/records/tile-0001.json" for kind in kinds}
    assert {counts[name] for name in again} == {2}


def test_every_job_that_was_repeated_had_a_reason(night):
    """It had failed, it was given other inputs, or the process it was started by was killed."""
    repeated = {
        job
        for job, records in acquisition.attempts(night.project).items()
        for before, after in pairwise(records)
        if before.status == "succeeded" and read_by(before) == read_by(after)
    }
    assert repeated <= {f"{rule}/{KILLED}" for rule in ("convert_batch", "process_batch")}


def read_by(record):
    return record.parameter_hash, [(p.path, p.id) for p in record.inputs]


def test_a_failure_is_in_the_status_as_long_as_it_lasts(night):
    first, second = night.status
    assert [(f["job"], f["attempts"]) for f in first] == [("process_batch mosaic 1 batch 1", 1)]
    assert [(f["job"], f["attempts"]) for f in second] == [("process_batch mosaic 1 batch 1", 2)]
    assert "mosaic_001_image_0001_dBI.nii: found is a directory" in first[0]["reason"]
    night.ask_status()
    assert night.status.pop() == []


def test_every_failure_is_told_once(night):
    records = chain(*acquisition.attempts(night.project).values())
    failed = [r.record_id for r in records if r.status == "failed"]
    assert len(failed) == 2
    assert sorted(e["data"]["record"]["id"] for e in night.failures_told()) == sorted(failed)
    messages = [form(request)["text"] for request in night.server.came_to("/chat.postMessage")]
    assert [m.split(":")[0] for m in messages if "failed" in m] == ["tiny, mosaic-001/batch-001"]


def test_every_event_is_told_though_who_tells_was_killed(night):
    """One that was told and not noted yet, when the process was killed, is told again."""
    lines = (night.project / "state" / "events" / "events.jsonl").read_text().splitlines()
    kept = [event["id"] for line in lines for event in json.loads(line)["events"]]
    told = Counter(event["id"] for event in night.server.events())
    assert set(told) == set(kept)
    assert told.total() <= len(kept) + 3


def batches_processed_during(slow, records):
    """Return mosaic and batch of what was processed between start and end of an attempt."""
    return {
        (r.unit.mosaic, r.unit.batch)
        for r in chain(*records.values())
        if r.rule == "process_batch"
        and slow.started_at < r.started_at < r.ended_at < slow.ended_at
        and r.status == "succeeded"
    }


def test_tiles_go_on_while_uploads_hang(night):
    records = acquisition.attempts(night.project)
    (slow,) = records[FAILING.replace("process", "upload")]
    every = {(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)}
    assert batches_processed_during(slow, records) == every


def test_tiles_go_on_while_registration_hangs(night):
    records = acquisition.attempts(night.project)
    slow = records["register_slice/slice-001"][0]
    assert batches_processed_during(slow, records) >= {(2, 2), (3, 1)}


def test_the_archive_holds_what_the_project_does(night):
    made, found = contents(night.project), contents(night.folder / "archive" / "tiny")
    sent = [name for name in made if re.search(r"(archived|registered)/[^/]+\.nii\.gz$", name)]
    assert len(sent) > len(night.names)
    assert {name: found.get(name) for name in sent} == {name: made[name] for name in sent}
    assert {name: digest for name, digest in made.items() if name in found} == found


def test_what_was_registered_from_a_hole_is_registered_again(night):
    first, *_, last = acquisition.attempts(night.project)["register_slice/slice-001"]
    assert [p.id for p in first.inputs if p.role == "record"] != [
        p.id for p in last.inputs if p.role == "record"
    ]


def test_three_watchers_were_killed_and_the_last_ended_by_itself(night):
    lines = (night.project / "watch" / "watch.jsonl").read_text().splitlines()
    said = [json.loads(line)["message"] for line in lines]
    found = {m.rsplit(" ", 1)[1] for m in said if "found again" in m}
    assert found >= {"tile", "register", "upload"}
    assert said[-1] == "watcher ended"
    assert night.ended == 0
    assert night.left_running == []
