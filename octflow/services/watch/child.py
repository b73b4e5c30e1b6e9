"""The Snakemake process of a lane: started, found again by a later watcher, ended."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

from octflow.io.atomic import replacing
from octflow.io.processes import boot_id, ticks_of
from octflow.services.watch.targets import Target

_NOTED = ("sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh")
"""Becomes the command behind it once it is told that it was noted; ends where nobody can tell."""


@dataclass(frozen=True)
class Started:
    """A process as the next watcher must be able to recognise it.

    Numbers of processes are used again: the time of its start, in ticks since the host booted,
    tells it from a later one.
    """

    pid: int
    ticks: int
    boot: str
    targets: list[dict[str, str]]
    made_ns: list[int]
    """When the flags of the targets had been written before it started."""


class Child:
    """A process group that works for a lane; its leader is Snakemake.

    Jobs that outlive a killed Snakemake are of the group, and still write: the lane is busy until
    the last of them has ended.
    """

    def __init__(self, started: Started, note: Path, process: subprocess.Popen | None) -> None:
        self.started, self._note, self._process = started, note, process
        self._asked = False
        self.targets = [Target(**target) for target in started.targets]

    def runs(self) -> bool:
        """Tell whether any process of the group is alive."""
        if self._process is not None:
            self._process.poll()  # One that nobody has asked for its status counts as alive.
        if (
            ticks_of(self.started.pid) not in {0, self.started.ticks}
            or self.started.boot != boot_id()
        ):
            return False
        return bool(self._signal(0))

    def leader_runs(self) -> bool:
        """Tell whether Snakemake itself is alive."""
        return self.runs() and ticks_of(self.started.pid) == self.started.ticks

    @property
    def status(self) -> int | None:
        """Exit status; None of a process that another watcher started."""
        return None if self._process is None else self._process.returncode

    @property
    def age_s(self) -> float:
        """Time since it was started, s."""
        up_s = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, up_s - self.started.ticks / os.sysconf("SC_CLK_TCK"))

    def finish(self) -> bool:
        """Ask Snakemake to start no more jobs, and to end with those that run.

        It is asked once; returns whether this was the time.
        """
        first, self._asked = not self._asked, True
        with contextlib.suppress(ProcessLookupError):
            if first and self.leader_runs():
                os.kill(self.started.pid, signal.SIGTERM)
        return first

    def kill(self) -> None:
        """End all processes of the group now; the next run goes on from what is finished."""
        if self.runs():
            self._signal(signal.SIGKILL)

    def forget(self) -> None:
        """Remove the note for later watchers."""
        self._note.unlink(missing_ok=True)

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self.started.pid, number)
        except ProcessLookupError:
            return False
        return True


def start(
    command: Sequence[str],
    folder: Path,
    *,
    note: Path,
    log: Path,
    targets: list[Target],
    made_ns: list[int],
    slots: Sequence[int] = (),
) -> Child:
    """Start a command as the leader of a group of its own, and note it for later watchers.

    It begins when it is noted: where the watcher is killed before that, it does nothing.

    Parameters
    ----------
    command : sequence of str
        Words of the command.
    folder : Path
        Its working directory.
    note : Path
        File in which a later watcher finds it.
    log : Path
        File that everything it says is added to.
    targets : list of Target
        What it is to make.
    made_ns : list of int
        When their flags were written last, ns.
    slots : sequence of int
        Descriptors that the process holds until it ends.
    """
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*_NOTED, *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=slots,
        )
    told = [asdict(target) for target in targets]
    started = Started(process.pid, ticks_of(process.pid), boot_id(), told, made_ns)
    child = Child(started, note, process)
    try:
        with cast("IO[bytes]", process.stdin) as told_that:
            with replacing(note) as part:
                part.write_text(json.dumps(asdict(started)))
            told_that.write(b"noted\n")
    except OSError:  # One that no later watcher could find must not run.
        child.kill()
        process.wait()
        raise
    return child


def find(note: Path) -> Child | None:
    """Find the process that an earlier watcher started; it may have ended since."""
    try:
        return Child(Started(**json.loads(note.read_bytes())), note, None)
    except (FileNotFoundError, ValueError):
        return None


def gentle(nice: int, io_level: int) -> list[str]:
    """Return the words before a command that make it give way, where the host has them."""
    words = ["nice", "-n", str(nice)] if shutil.which("nice") else []
    if shutil.which("ionice"):
        words += ["ionice", "-t", "-c", "2", "-n", str(io_level)]
    return words
