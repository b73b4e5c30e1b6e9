import contextlib
import json
import logging
import shutil

import pytest

from octflow.services.watch.journal import Once, open_journal, set_aside
from octflow.workflow.lanes import WatchSettings


@pytest.fixture
def journal(tmp_path):
    """Open journals in a folder; the logger of the package is as before afterwards."""
    log = logging.getLogger("octflow")
    before = log.handlers, log.propagate, log.level
    (tmp_path / "watch").mkdir()

    def of(**settings):
        return open_journal(tmp_path / "watch" / "watch.jsonl", WatchSettings(**settings))

    yield of
    for handler in log.handlers:
        with contextlib.suppress(OSError):  # Of a full disk.
            handler.close()
    log.handlers, log.propagate = before[0], before[1]
    log.setLevel(before[2])


def messages(path):
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_the_log_is_set_aside_as_it_grows_and_the_oldest_removed(journal, tmp_path):
    log = journal(log_bytes=1000, log_files=2)
    for number in range(100):
        log.info("line %03d", number)
    names = sorted(path.name for path in (tmp_path / "watch").iterdir())
    assert names == ["watch.jsonl", "watch.jsonl.1", "watch.jsonl.2"]
    kept = [message for name in reversed(names) for message in messages(tmp_path / "watch" / name)]
    assert kept[-1] == "line 099"
    assert kept == [f"line {number:03d}" for number in range(100 - len(kept), 100)]
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "watch").iterdir())


def test_the_log_of_a_lane_is_set_aside_between_two_runs(tmp_path):
    settings, log = WatchSettings(log_bytes=1000, log_files=2), tmp_path / "lane-tile.log"
    for run in range(4):
        set_aside(log, settings)
        log.write_text(f"{run}" * 1000)
    set_aside(log, settings)
    kept = {path.name: path.read_text()[0] for path in tmp_path.iterdir()}
    assert kept == {"lane-tile.log.1": "3", "lane-tile.log.2": "2"}


def test_the_log_goes_on_in_the_folder_that_came_back(journal, tmp_path):
    log = journal()
    log.info("before")
    (tmp_path / "watch").rename(tmp_path / "away")
    log.info("meanwhile")
    assert not (tmp_path / "watch").exists()
    shutil.copytree(tmp_path / "away", tmp_path / "watch")
    log.info("after")
    assert messages(tmp_path / "watch" / "watch.jsonl") == ["before", "after"]


def test_a_full_disk_costs_lines_of_the_file_and_nothing_else(journal, tmp_path, capsys):
    (tmp_path / "watch" / "watch.jsonl").symlink_to("/dev/full")
    journal().info("no room")
    assert capsys.readouterr().err.endswith("INFO no room\n")


def test_what_would_be_said_at_every_look_is_said_once(caplog):
    caplog.set_level("INFO")
    once = Once(logging.getLogger("octflow.test"))
    for fault in (None, "away", "away", "full", None, None, "away"):
        once.tell("disk", fault)
    assert caplog.messages == [
        "disk: away",
        "disk: full",
        "disk: no longer so: full",
        "disk: away",
    ]
