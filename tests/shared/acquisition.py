"""A microscope that delivers simulated tiles one after another, and what is done to who works."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from octflow.io.records import read_record

import runs

PATIENCE_S = 240


def until(there, patience_s=PATIENCE_S):
    """Wait until something is there; return it."""
    end = time.monotonic() + patience_s
    while not (found := there()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


class Microscope(threading.Thread):
    """Brings tiles into the acquisition folder at a pace, by turns renamed and slowly written.

    A plan is a list of names, and of events that are waited for: the stage is moved, say.
    """

    def __init__(self, source, folder, plan, *, pace_s, instead=None):
        super().__init__(daemon=True)
        self.source, self.folder, self.plan, self.pace_s = source, folder, plan, pace_s
        self.instead = instead or {}
        self.delivered = []

    def run(self):
        for step in self.plan:
            if isinstance(step, threading.Event):
                step.wait(PATIENCE_S)
                continue
            self.deliver(step, self.instead.get(step))
            time.sleep(self.pace_s)

    def deliver(self, name, content_of=None):
        """Write a tile, under another name or growing, and wait for no one."""
        content = (self.source / (content_of or name)).read_bytes()
        target = self.folder / name
        if len(self.delivered) % 2:
            (self.folder / f"{name}.part").write_bytes(content)
            (self.folder / f"{name}.part").rename(target)
        else:
            with target.open("wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(min(0.3, self.pace_s))
                file.write(content[len(content) // 2 :])
        self.delivered.append(name)


class TileCounter(threading.Thread):
    """Notes how often the small record of every tile was written: how often it was worked on."""

    def __init__(self, project):
        super().__init__(daemon=True)
        self.project, self.written, self._stop_it = project, {}, threading.Event()

    def run(self):
        while not self._stop_it.wait(0.1):
            for path in self.project.glob("mosaic-*/*/records/tile-*.json"):
                with suppress(FileNotFoundError):
                    name = str(path.relative_to(self.project))
                    self.written.setdefault(name, set()).add(path.stat().st_mtime_ns)

    def counts(self):
        self._stop_it.set()
        self.join()
        return {name: len(times) for name, times in self.written.items()}


def octflow(*arguments):
    """Run a command of octflow to its end."""
    command = [sys.executable, "-m", "octflow.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=runs.ROOT, capture_output=True, text=True)


class Service:
    """A command of octflow that runs until it is stopped, and may be killed and started again."""

    def __init__(self, *arguments, log, **environment):
        self.command = [sys.executable, "-m", "octflow.cli", *map(str, arguments)]
        self.log, self.environment = log, {**os.environ, **environment}

    def start(self):
        with self.log.open("a") as said:
            self.process = subprocess.Popen(
                self.command, cwd=runs.ROOT, stdout=said, stderr=said, env=self.environment
            )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kill_and_start(self):
        self.kill()
        self.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    @contextmanager
    def running(self):
        self.start()
        try:
            yield self
        finally:
            self.kill()


def jobs(project, rule):
    """Return the numbers of the processes that do the jobs of a rule."""
    return [pid for pid, words in processes(project) if words[-1].endswith(f"{rule}.py")]


def processes(folder):
    """Return number and words of every process that works in a folder, or is told of it."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_text().split("\0")[:-1] if entry.name.isdigit() else []
            told = any(str(folder) in word for word in words)
            if words and (told or (entry / "cwd").readlink().is_relative_to(folder)):
                found.append((int(entry.name), words))
    return [(pid, words) for pid, words in found if pid != os.getpid()]


@contextmanager
def held_up(pids):
    """Stop processes as long as the block runs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def attempts(project):
    """Return the records of every job that was tried, by its name and in order."""
    folders = sorted(p for p in (project / "lineage").glob("*/*") if p.is_dir())
    return {
        str(folder.relative_to(project / "lineage")): [
            read_record(path) for path in sorted(folder.glob("attempt-*.json"))
        ]
        for folder in folders
    }


def contents(folder):
    """Digest every file of a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def idle(project, since_s):
    """Tell whether the watcher has looked since, and found nothing to be done."""
    with suppress(OSError):
        status = json.loads((project / "watch" / "status.json").read_text())
        busy = [lane["backlog"] or lane["running"] for lane in status["lanes"].values()]
        return status["time_s"] > since_s and not (any(busy) or status["settling_batches"])
    return False


def clear(folder):
    """End whatever still works in a folder: a test that failed must leave nothing behind."""
    for pid, _ in processes(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
