"""The watcher with real Snakemake: tiles come late, and it is killed."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import runs

pytestmark = pytest.mark.slow

PATIENCE_S = 240


class Watching(subprocess.Popen):
    """A watcher, which does not outlive a test that fails."""

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, traceback)


def watch(folder, *options):
    parts = [sys.executable, "-m", "octflow.cli", "watch"]
    command = [*parts, str(folder / "config.yaml"), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return Watching(command, cwd=runs.ROOT, text=True, **pipes)


def said_by(process):
    """Wait for its end; return what it logged, message by message, and standard error."""
    lines, error = process.communicate(timeout=PATIENCE_S)
    return [json.loads(line)["message"] for line in lines.splitlines()], error


def until(there):
    end = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def configure(folder, **watching):
    """One mosaic of two batches, without volumes: what takes long is tested elsewhere."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["volume"] = {"modalities": []}
    config["ingest"] = {"stable_seconds": 1}
    quick = {"poll_seconds": 0.5, "first_wait_s": 1, "pages_every_s": None, "nice": 0}
    config["watch"] = {**quick, **watching}
    config["convert"] = {"max_failed_tiles": 0}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def listen(folder):
    """Have a command add every event to a file; it is told of them by the watcher."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    command = ["sh", "-c", f"cat >> {folder}/told"]
    config["events"] = {"listeners": [{"kind": "command", "name": "told", "command": command}]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def told_of(folder):
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


def inventory(folder, batch):
    flag = folder / "project" / "mosaic-001" / "state" / f"batch-{batch:03d}.started"
    return json.loads(flag.read_text())["parameters"]["inventory"]


def deliver_slowly(path, folder):
    """Write a tile piece by piece, longer than it takes to be complete; its clock is behind."""
    content = path.read_bytes()
    step = len(content) // 4 + 1
    for first in range(0, len(content), step):
        with (folder / path.name).open("ab") as tile:
            tile.write(content[first : first + step])
        os.utime(folder / path.name, (1e9 + first, 1e9 + first))
        time.sleep(0.5)


def deliver_at_once(path, folder):
    """Rename a tile into place; its clock is decades ahead."""
    shutil.copy(path, folder / "part")
    os.utime(folder / "part", (4e9, 4e9))
    (folder / "part").rename(folder / path.name)


def hold_back(folder):
    """Move all tiles away but those of the first batch; return those of the second."""
    tiles = sorted((folder / "raw").iterdir())
    for path in tiles[2:]:
        path.rename(folder / path.name)
    return [folder / path.name for path in tiles[2:4]]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return runs.simulate(tmp_path_factory.mktemp("simulated") / "tiny", "tiny")


@pytest.fixture(scope="module")
def watched(simulated, tmp_path_factory):
    """A watched project: the watcher killed in the first batch, the tiles of the second late."""
    folder = runs.acquisition(simulated, tmp_path_factory.mktemp("watched") / "tiny")
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text("benchmark-extended: true\n")
    configure(folder, profile=str(folder / "profile"), pages_every_s=60)
    late = hold_back(folder)
    project = folder / "project"
    with watch(folder) as first:
        until((project / "watch" / "lane-tile.json").exists)
        refused = said_by(watch(folder))[1]
        first.send_signal(signal.SIGKILL)
    orphan = json.loads((project / "watch" / "lane-tile.json").read_text())["pid"]
    with watch(folder) as second:
        time.sleep(1)
        deliver_at_once(late[0], folder / "raw")
        deliver_slowly(late[1], folder / "raw")
        for kind in ("stitched", "volume_stitched"):
            until((project / "mosaic-001" / "state" / f"mosaic-001.{kind}").exists)
        second.send_signal(signal.SIGTERM)
        said, error = said_by(second)
    return folder, refused, orphan, (second.returncode, said, error)


def test_a_second_watcher_is_refused_in_words(watched):
    folder, refused, _, _ = watched
    assert f"{folder / 'project'}: found a watcher (process " in refused
    assert refused.count("\n") == 1


def test_everything_is_made_of_what_came_late(watched):
    names = {path.name for path in runs.flags(watched[0])}
    batches = {f"batch-00{number}.processed" for number in (1, 2)}
    assert batches | {"mosaic-001.stitched", "mosaic-001.volume_stitched"} <= names


def test_no_job_is_done_twice_though_the_watcher_was_killed(watched):
    attempts = lineage(watched[0])
    # Slice, mosaic, three of each batch, coordinates, maps, and the joined flags of no volumes.
    assert [path.name for path in attempts] == ["attempt-001.json"] * 11


def test_the_process_of_a_killed_watcher_is_taken_over(watched):
    lines = (watched[0] / "project" / "watch" / "watch.jsonl").read_text().splitlines()
    [found] = [json.loads(line) for line in lines if "found again" in line]
    assert found["lane"] == "tile"
    assert found["runs"] is True
    with pytest.raises(ProcessLookupError):
        os.killpg(watched[2], 0)


def test_the_watcher_ends_on_request_and_leaves_nothing(watched):
    folder, _, _, (status, said, error) = watched
    assert status == 0, error
    assert error == ""
    assert said[-1] == "watcher ended"
    assert list((folder / "project" / "watch").glob("lane-*.json")) == []


def test_the_pages_are_those_of_the_end(watched):
    project = watched[0] / "project"
    newest = max(path.stat().st_mtime for path in runs.flags(watched[0]))
    assert (project / "pages" / "mosaic-001.html").stat().st_mtime >= newest


def test_lanes_run_with_the_profile(watched):
    """The profile of the test asks Snakemake for more columns of its benchmarks."""
    for table in (watched[0] / "project" / "benchmarks" / "process_batch").iterdir():
        assert "rule_name" in table.read_text().splitlines()[0]


def test_a_tile_is_taken_in_whole_whatever_its_time_and_however_it_came(watched):
    for number in (3, 4):
        [tile] = (watched[0] / "raw").glob(f"*image_{number:04d}*")
        size = next(e["bytes"] for e in inventory(watched[0], 2) if e["tile"] == number)
        assert size == tile.stat().st_size
    record = json.loads((watched[0] / "project/mosaic-001/state/batch-002.processed").read_text())
    assert record["tiles"]["ok"] == [3, 4]


def test_the_status_counts_what_was_made(watched):
    status = json.loads((watched[0] / "project" / "watch" / "status.json").read_text())
    assert status["failing"] == {}
    assert status["lanes"]["tile"]["made"] == 2
    assert status["lanes"]["stitch"]["made"] == 2


@pytest.fixture(scope="module")
def lacking(simulated, tmp_path_factory):
    """A project whose first batch is bad and whose second lacks a tile, watched until idle twice.

    Between the two the tile is declared missing.
    """
    folder = runs.acquisition(simulated, tmp_path_factory.mktemp("lacking") / "tiny")
    configure(folder, max_attempts=2, lanes={"tile": {}})
    listen(folder)
    good = hold_back(folder)
    good[0].rename(folder / "raw" / good[0].name)
    bad = min((folder / "raw").iterdir())
    bad.unlink()  # The simulated file has another link.
    bad.write_bytes(b"not a tile")
    said, statuses = [], []
    for _ in range(2):
        with watch(folder, "--once") as watcher:
            said += said_by(watcher)[0]
        statuses.append(json.loads((folder / "project/watch/status.json").read_text()))
        declare_missing(folder, 4)
    return folder, said, statuses


def declare_missing(folder, tile):
    words = ["declare-missing", str(tile), "--mosaic", "1", "--reason", "laser off"]
    command = [sys.executable, "-m", "octflow.cli", *words, "--project", str(folder / "project")]
    subprocess.run(command, cwd=runs.ROOT, check=True, capture_output=True)


def test_a_batch_that_fails_is_tried_again_and_given_up_while_others_are_made(lacking):
    folder, said, statuses = lacking
    told = [line.split("; see ")[0].split("state/")[1] for line in said if "; see " in line]
    assert told == [
        "batch-001.processed: failed, will be tried again",
        "batch-001.processed: given up",
    ]
    [failing] = statuses[1]["failing"].values()
    assert (failing["failures"], failing["given_up"]) == (2, True)
    assert {p.name for p in runs.flags(folder) if p.suffix == ".processed"} == {
        "batch-002.processed"
    }


def test_a_listener_is_told_of_each_failure_and_of_giving_up_once(lacking):
    told = [event for event in told_of(lacking[0]) if event["subject"] == "mosaic-001/batch-001"]
    assert [(event["type"].split(".", 2)[2], event["data"].get("again")) for event in told] == [
        ("batch.started", None),
        ("batch.failed", False),
        ("batch.failed", True),
        ("batch.given_up", False),
    ]


def test_a_batch_short_of_a_tile_waits_by_name_until_it_is_declared_missing(lacking):
    folder, _, statuses = lacking
    assert "mosaic 1 batch 2: tiles [4] have not arrived" in statuses[0]["waiting"]
    assert statuses[0]["lanes"]["tile"]["made"] == 0
    assert not [line for line in statuses[1]["waiting"] if "batch 2" in line]
    record = json.loads((folder / "project/mosaic-001/state/batch-002.processed").read_text())
    assert record["tiles"]["ok"] == [3]
    assert [(hole["tile"], hole["reason"]) for hole in record["tiles"]["missing"]] == [
        (4, "laser off")
    ]


@pytest.fixture(scope="module")
def halting(simulated, tmp_path_factory):
    """A project with one batch, of which the tests stop the processes that work on it."""
    folder = runs.acquisition(simulated, tmp_path_factory.mktemp("halting") / "tiny")
    hold_back(folder)
    return folder


def halt(folder):
    """Stop the lane as soon as it is there: it hears of nothing but SIGKILL; return its group."""
    note = folder / "project" / "watch" / "lane-tile.json"
    until(note.exists)
    group = json.loads(note.read_text())["pid"]
    os.killpg(group, signal.SIGSTOP)
    until(lambda: "State:\tT" in Path(f"/proc/{group}/status").read_text())
    return group


def test_what_does_not_end_in_the_grace_time_is_killed(halting):
    configure(halting, grace_s=1, lanes={"tile": {}})
    with watch(halting) as watcher:
        group = halt(halting)
        began_s = time.monotonic()
        watcher.send_signal(signal.SIGTERM)
        said, error = said_by(watcher)
    assert watcher.returncode == 0, error
    assert "lane killed: tile" in said
    assert time.monotonic() - began_s >= 1
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_lane_that_hangs_is_ended_after_its_time_and_its_target_fails(halting):
    configure(halting, grace_s=0.5, max_attempts=1, lanes={"tile": {"longest_run_s": 2}})
    with watch(halting, "--once") as watcher:
        group = halt(halting)
        said, error = said_by(watcher)
    assert watcher.returncode == 0, error
    assert "lane tile has run for more than 2 s: it is ended" in said
    assert any("batch-001.processed: given up" in line for line in said)
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_project_that_is_away_for_a_while_is_waited_for_and_not_made_anew(halting):
    configure(halting, max_attempts=1, lanes={"tile": {}})
    project, log = halting / "project", halting / "project" / "watch" / "watch.jsonl"
    with watch(halting) as watcher:  # The test before has given up all there is to do.
        until(lambda: f'"pid": {watcher.pid},' in (log.parent / "status.json").read_text())
        project.rename(halting / "away")
        time.sleep(2)
        assert not project.exists()
        (halting / "away").rename(project)
        until(lambda: "no longer so" in log.read_text())
        watcher.send_signal(signal.SIGTERM)
        said, error = said_by(watcher)
    assert watcher.returncode == 0, error
    away, back = [line for line in said if line.startswith("this look failed: ")]
    assert away.endswith("the project is away")
    assert back.startswith("this look failed: no longer so")


def test_two_projects_share_the_cores_of_their_host(simulated, tmp_path):
    folders = [runs.acquisition(simulated, tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        hold_back(folder)
        configure(folder, host_cores=1, lanes={"tile": {"cores": 2}})
    watchers = [watch(folder, "--once") for folder in folders]
    assert [said_by(watcher)[1] for watcher in watchers] == ["", ""]
    for folder in folders:
        assert (folder / "project/mosaic-001/state/batch-001.processed").exists()
    spans = sorted(span for folder in folders for span in job_times(folder))
    assert len(spans) == 2 * 5
    assert all(ended <= started for (_, ended), (started, _) in itertools.pairwise(spans))


def job_times(folder):
    """Start and end of every job of a project, from its records."""
    records = map(json.loads, (p.read_text() for p in lineage(folder)))
    return [(record["started_at"], record["ended_at"]) for record in records]


def lineage(folder):
    return (folder / "project" / "lineage").rglob("attempt-*.json")
