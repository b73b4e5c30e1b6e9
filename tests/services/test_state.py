import os
import time

import pytest

from octflow.core.errors import DataError
from octflow.core.layout import FLAGS, flag
from octflow.core.record import Unit
from octflow.io.missing import declare_missing
from octflow.services.events.given_up import GivenUp, write_given_up
from octflow.services.jobs import Expected, Job
from octflow.services.state import peek_project
from octflow.services.state_text import lines_of
from octflow.workflow.config import read_config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session

from flags import write_flag

ROWS = [
    {"name": "normal", "grid_size_x": 2},
    {"name": "tilted", "grid_size_x": 1, "tilt_deg": -15},
]


class Bench:
    """A project of slices with two mosaics, of two batches and one, of two tiles each."""

    def __init__(self, folder):
        self.folder, self.project, self.raw = folder, folder / "project", folder / "raw"
        self.raw.mkdir()
        self.project.mkdir()

    def arrive(self, mosaic, tiles):
        for tile in tiles:
            path = self.raw / f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii"
            path.write_bytes(b"1234")
            os.utime(path, (1e9, 1e9))

    def session(self, **sections):
        values = {
            "project": {"folder": str(self.project), **sections.pop("project", {})},
            "acquisition": {"folder": str(self.raw)},
            "experiment": {"grid_size_y": 2, "illuminations": ROWS},
            **sections,
        }
        return Session(read_config(values), self.folder)

    def peek(self, *, tiles=False, **sections):
        return peek_project(self.session(**sections), tiles=tiles)

    def counts(self, **sections):
        return {c.rule: c for c in self.peek(**sections).counts}

    def fail(self, times=1, rule="process_batch", **ids):
        unit = Unit(project="demo", **ids)
        for number in range(times):
            attempt = Attempt("process", rule, unit, [], {}, 1, "tile", 1)
            error = DataError("tile.nii", found=f"{number} bytes", expected="4 bytes")
            attempt.keep(attempt.failed(error, "data"))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path)
    monkeypatch.chdir(made.project)
    return made


BATCH = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}


def test_what_is_expected_is_more_than_what_was_seen(bench):
    bench.arrive(1, [1, 2])
    write_flag(flag("process_batch", mosaic=1, batch=1))
    count = bench.counts()["process_batch"]
    assert (count.done, count.expected, count.waiting) == (1, 3, 2)
    assert bench.counts(project={"slices": 5})["process_batch"].done_percent == 100 / 15


def test_every_expected_job_is_in_one_state(bench):
    bench.arrive(1, [1, 2, 3])
    bench.fail(**BATCH)
    write_flag(flag("start_batch", mosaic=1, batch=1))
    for count in bench.counts(project={"slices": 3}).values():
        assert count.done + count.failed + count.open + count.waiting == count.expected


def test_every_rule_with_a_flag_is_expected_by_some_configuration(bench):
    bench.arrive(1, [1])
    asked = {
        "project": {"slices": 2},
        "stitch": {"refine": True},
        "volume": {"shares": 2},
        "register": {"volumes": ["dBI"]},
        "upload": {"target": {"kind": "folder", "folder": "/archive"}, "names": "bids"},
    }
    assert {c.rule for c in bench.peek(**asked).counts} == set(FLAGS)


def test_nothing_is_archived_where_archiving_is_off(bench):
    bench.arrive(1, [1])
    assert "archive_batch" not in bench.counts(archive={"enabled": False})


def test_no_focus_is_expected_where_no_volume_is_made(bench):
    bench.arrive(1, [1])
    assert bench.counts()["find_focus"].expected == 2
    assert "find_focus" not in bench.counts(volume={"modalities": []})


def test_jobs_lie_where_the_rules_put_their_flags_and_attempts(bench):
    jobs = list(Expected(bench.session()).of_batch(3, 2))
    assert jobs[2].flag == "mosaic-003/state/batch-002.processed"
    name = "slice-002_mosaic-003_batch-002_illumination-normal"
    assert str(jobs[2].lineage) == f"lineage/process_batch/{name}"
    assert jobs[2].name == "process_batch mosaic 3 batch 2"


def test_a_failure_tells_its_last_reason_and_the_attempts(bench):
    bench.arrive(1, [1, 2])
    bench.fail(times=3, **BATCH)
    (failed,) = bench.peek().failures
    assert (failed.job, failed.attempts, failed.kind) == (
        "process_batch mosaic 1 batch 1",
        3,
        "data",
    )
    assert "found 2 bytes" in failed.reason
    assert (bench.project / failed.record).name == "attempt-003.json"


def test_a_failure_that_was_repeated_with_success_is_none(bench):
    bench.arrive(1, [1, 2])
    bench.fail(**BATCH)
    write_flag(flag("process_batch", mosaic=1, batch=1))
    state = bench.peek()
    assert state.failures == ()
    assert state.slices[0].mosaics[0].batches[0].jobs["process_batch"] == "done"


def test_a_batch_names_the_tiles_it_waits_for_until_they_are_declared_missing(bench):
    bench.arrive(1, [1, 2, 3])
    batch = bench.peek().slices[0].mosaics[0].batches[1]
    assert (batch.absent, batch.jobs["process_batch"]) == ((4,), "waiting")
    assert "waiting: mosaic 1 batch 2: tiles [4] have not arrived" in bench.peek().waiting
    declare_missing(bench.project, 1, [4], "laser off")
    batch = bench.peek().slices[0].mosaics[0].batches[1]
    assert (batch.absent, batch.jobs["process_batch"]) == ((), "open")


def test_a_mosaic_is_open_only_when_all_its_batches_are_there(bench):
    bench.arrive(1, [1, 2, 3])
    assert bench.counts()["stitch_enface"].waiting == 2
    bench.arrive(1, [4])
    assert (bench.counts()["stitch_enface"].open, bench.counts()["register_slice"].open) == (1, 0)
    bench.arrive(2, [1, 2])
    assert (bench.counts()["stitch_enface"].open, bench.counts()["register_slice"].open) == (2, 1)


def test_the_pace_and_what_is_left_follow_from_the_times_of_flags(bench):
    bench.arrive(1, [1, 2, 3, 4])
    now_s = time.time()
    for batch in (1, 2):
        write_flag(flag("process_batch", mosaic=1, batch=batch))
        os.utime(flag("process_batch", mosaic=1, batch=batch), (now_s - 1800 / batch,) * 2)
    pace = bench.peek(project={"slices": 2}).pace
    assert pace.batches_per_hour == pytest.approx(2, rel=0.05)
    assert pace.left == 4
    assert pace.hours_left == pytest.approx(2, rel=0.05)


def test_looking_changes_nothing_and_opens_no_flag(bench):
    bench.arrive(1, [1, 2])
    path = flag("process_batch", mosaic=1, batch=1)
    path.parent.mkdir(parents=True)
    path.write_text("no record")
    before = sorted(bench.folder.rglob("*"))
    assert bench.counts()["process_batch"].done == 1
    assert sorted(bench.folder.rglob("*")) == before


def test_failed_tiles_of_finished_batches_are_told_on_request(bench):
    bench.arrive(1, [1, 2])
    tiles = {"ok": [1], "failed": [{"tile": 2, "reason": "found noise"}]}
    write_flag(flag("process_batch", mosaic=1, batch=1), tiles=tiles)
    assert bench.peek().failed_tiles == ()
    assert bench.peek(tiles=True).failed_tiles == (
        "process_batch mosaic 1: tile 2 failed: found noise",
    )


def test_the_text_names_failures_and_says_how_many_are_left_out(bench):
    bench.arrive(1, [1, 2, 3])
    bench.fail(**BATCH)
    said = "\n".join(lines_of(bench.peek(), most=1))
    assert "process_batch mosaic 1 batch 1: DataError: tile.nii: found 0 bytes" in said
    assert "0/2!" in said
    assert "and 1 more" in said


def test_what_the_watcher_has_given_up_is_told_though_no_record_says_why(bench):
    target = flag("process_batch", mosaic=1, batch=2)
    given_up = GivenUp(
        target=str(target),
        lane="tile",
        failures=5,
        first_failed_at="2026-01-01T00:00:00.000+00:00",
        given_up_at="2026-01-01T01:00:00.000+00:00",
        status=-9,
        log="watch/lane-tile.log",
        host="zircon",
    )
    write_given_up(bench.project, [given_up])
    line = f"{target}: 5 failures, the last one killed by SIGKILL (watch/lane-tile.log)"
    assert bench.peek().given_up == (line,)
    assert f"  {line}" in list(lines_of(bench.peek()))
    write_given_up(bench.project, [])
    assert not bench.peek().given_up


def test_a_job_of_one_illumination_is_named_by_it():
    job = Job("find_focus", Unit(project="p", illumination="normal"))
    assert job.name == "find_focus illumination normal"
