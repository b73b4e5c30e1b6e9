import subprocess
import sys

import pytest

from octflow.workflow.config import read_config

HOLD = (
    "import fcntl, os, pathlib, sys, time\n"
    "path = pathlib.Path(sys.argv[1])\n"
    "path.parent.mkdir(parents=True, exist_ok=True)\n"
    "fcntl.lockf(os.open(path, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def watched_config():
    """A configuration with listeners."""

    def of(*listeners, **section):
        quick = {"first_wait_s": 0.01, "max_wait_s": 60}
        told = [{**quick, **listener} for listener in listeners]
        events = {"listeners": told, **section}
        return read_config({"events": events, "watch": {"notify": "never", "pages_every_s": None}})

    return of


@pytest.fixture
def holder():
    """Start a process that holds a POSIX lock, as `octflow events --follow` does."""
    started = []

    def hold(path):
        command = [sys.executable, "-c", HOLD, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()
