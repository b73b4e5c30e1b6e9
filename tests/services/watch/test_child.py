import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from octflow.io.processes import ticks_of
from octflow.services.watch import child as children
from octflow.services.watch.lock import WatchedError, sole_watcher
from octflow.services.watch.targets import Target

HOLD = (
    "import sys, time, pathlib\n"
    "from octflow.services.watch.lock import sole_watcher\n"
    "with sole_watcher(pathlib.Path(sys.argv[1])):\n"
    "    print('in', flush=True)\n"
    "    time.sleep(60)\n"
)
SLOW = "sleep 60 & sleep 60"
KILLED = """
import os, pathlib, subprocess, sys
from octflow.services.watch import child

class Deadly(list):
    def __iter__(self):  # The process has been started, and is about to be noted.
        (pid,) = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        print(pid, file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)

folder = pathlib.Path(sys.argv[1])
files = {"note": folder / "note", "log": folder / "log"}
child.start(["touch", folder / "made"], folder, **files, targets=Deadly(), made_ns=[])
"""


def ends(child):
    until = time.monotonic() + 5
    while child.runs() and time.monotonic() < until:
        time.sleep(0.02)
    return not child.runs()


def until_gone(pid):
    until = time.monotonic() + 5
    while ticks_of(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not ticks_of(pid)


@pytest.fixture
def started(tmp_path):
    """A shell and its job, in a group of their own."""
    files = {"note": tmp_path / "note.json", "log": tmp_path / "log"}
    wanted = {"targets": [Target("a", "1")], "made_ns": [0]}
    child = children.start(["sh", "-c", SLOW], tmp_path, **files, **wanted)
    yield child
    child.kill()
    assert ends(child)


def test_a_later_watcher_finds_what_still_runs(started, tmp_path):
    found = children.find(tmp_path / "note.json")
    assert found.runs()
    assert found.targets == [Target("a", "1")]
    assert found.status is None


def test_a_lane_is_busy_while_jobs_of_a_killed_leader_run(started):
    time.sleep(0.2)
    os.kill(started.started.pid, signal.SIGKILL)
    started._process.wait()
    assert started.runs()
    assert not started.leader_runs()
    started.kill()
    assert ends(started)


def test_another_process_with_the_same_number_is_not_taken_for_it(started, tmp_path):
    note = json.loads((tmp_path / "note.json").read_text())
    (tmp_path / "note.json").write_text(json.dumps({**note, "ticks": note["ticks"] - 1}))
    assert not children.find(tmp_path / "note.json").runs()
    assert started.runs()


def test_a_process_that_cannot_be_noted_does_not_run(tmp_path):
    (tmp_path / "file").touch()
    files = {"note": tmp_path / "file" / "note.json", "log": tmp_path / "log"}
    command = ["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"]
    with pytest.raises(OSError, match="file"):
        children.start(command, tmp_path, **files, targets=[], made_ns=[])
    pid = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
    assert not pid or not Path(f"/proc/{pid.strip()}").exists()


def test_a_process_whose_watcher_is_killed_before_it_has_noted_it_does_nothing(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], stderr=subprocess.PIPE)
    assert killed.returncode == -signal.SIGKILL
    pid = int(killed.stderr)
    assert until_gone(pid)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_nothing_is_found_where_nothing_was_started(tmp_path):
    assert children.find(tmp_path / "note.json") is None


def test_the_lock_of_a_killed_watcher_is_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(WatchedError, match=f"process {other.pid} on .*, expected none"):
            sole_watcher(tmp_path).__enter__()
        other.kill()
    with sole_watcher(tmp_path):
        assert json.loads((tmp_path / "watch" / "lock").read_text())["pid"] == os.getpid()
