"""The watcher with real Snakemake: tiles come late, and it is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

import runs

pytestmark = pytest.mark.slow

PATIENCE_S = 240


def watch(folder, *options):
    parts = [sys.executable, "-m", "octflow.cli", "watch"]
    command = [*parts, str(folder / "config.yaml"), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=runs.ROOT, text=True, **pipes)


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
    config["watch"] = {"poll_seconds": 0.5, "first_wait_s": 1, **watching}
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
    configure(folder)
    late = hold_back(folder)
    project = folder / "project"
    with watch(folder) as first:
        until((project / "watch" / "lane-tile.json").exists)
        refused = said_by(watch(folder))[1]
        first.send_signal(signal.SIGKILL)
    orphan = json.loads((project / "watch" / "lane-tile.json").read_text())["pid"]
    with watch(folder) as second:
        for path in late:
            time.sleep(1)
            path.rename(folder / "raw" / path.name)
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
    attempts = (watched[0] / "project" / "lineage").rglob("attempt-*.json")
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


def test_the_status_counts_what_was_made(watched):
    status = json.loads((watched[0] / "project" / "watch" / "status.json").read_text())
    assert status["failing"] == {}
    assert status["lanes"]["tile"]["made"] == 2
    assert status["lanes"]["stitch"]["made"] == 2


def test_a_batch_that_fails_is_tried_again_and_given_up_while_others_are_made(simulated, tmp_path):
    folder = runs.acquisition(simulated, tmp_path / "tiny")
    configure(folder, max_attempts=2)
    listen(folder)
    good = hold_back(folder)
    for path in good:
        path.rename(folder / "raw" / path.name)
    bad = min((folder / "raw").iterdir())
    bad.unlink()  # The simulated file has another link.
    bad.write_bytes(b"not a tile")
    with watch(folder, "--once") as watcher:
        said = "\n".join(said_by(watcher)[0])
    assert "batch-001.processed: failed, will be tried again" in said
    assert "batch-001.processed: given up" in said
    assert {p.name for p in runs.flags(folder) if p.suffix == ".processed"} == {
        "batch-002.processed"
    }
    told = [event for event in told_of(folder) if event["subject"] == "mosaic-001/batch-001"]
    assert [(event["type"].split(".", 2)[2], event["data"].get("again")) for event in told] == [
        ("batch.started", None),
        ("batch.failed", False),
        ("batch.failed", True),
        ("batch.given_up", None),
    ]
