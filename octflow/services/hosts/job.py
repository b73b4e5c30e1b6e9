"""A job that was sent: a folder that both hosts see. Whatever they tell each other lies there.

    job.json     what is to be run, where it may run, how long it may be silent
    offer-NAME   the host NAME may take the job; it does so by renaming the file to taken-NAME
    taken-NAME   it runs, or ran, there; holds the number of the process that watches over it
    beat         a number that grows while it runs
    cancel       it is to end
    ended        its exit status
    log          what it said

Few modules are imported: Snakemake asks for the state of every job all the time.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

JOBS = Path(".snakemake") / "hosts"
"""Folder of all jobs, in the project folder."""
MARK = "OCTFLOW_HOST_JOB"
"""Environment variable of every process of a job: its id."""
NODE = "OCTFLOW_NODE"
"""Environment variable with the name of the host that a job runs on."""
_KILL_S = 10.0
"""A process that a file system holds may outlive this, but does nothing more when it returns."""


class Job:
    """A job, by its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.id = folder, folder.name

    @property
    def order(self) -> dict[str, Any]:
        """What was ordered."""
        order: dict[str, Any] = json.loads((self.folder / "job.json").read_bytes())
        return order

    @property
    def host(self) -> str | None:
        """Name of the host that has taken it."""
        return next((p.name.removeprefix("taken-") for p in self.folder.glob("taken-*")), None)

    @property
    def runner(self) -> int | None:
        """Number of the process that watches over it, on its host."""
        for path in self.folder.glob("taken-*"):
            with suppress(ValueError):
                return int(path.read_text())
        return None

    @property
    def status(self) -> int | None:
        """Exit status; None until it has ended."""
        try:
            return int((self.folder / "ended").read_text())
        except FileNotFoundError:
            return None

    @property
    def cancelled(self) -> bool:
        """Whether it is to end."""
        return (self.folder / "cancel").exists()

    def offer(self, host: str) -> None:
        """Let a host take it."""
        self.write(f"offer-{host}", "")

    def withdraw(self, host: str) -> bool:
        """Take an offer back; False where the host has taken it already."""
        try:
            (self.folder / f"offer-{host}").unlink()
        except FileNotFoundError:
            return False
        return True

    def take(self, host: str) -> bool:
        """Take it, as that host; False where it is not offered any more."""
        try:
            (self.folder / f"offer-{host}").rename(self.folder / f"taken-{host}")
        except FileNotFoundError:
            return False
        return True

    def cancel(self) -> None:
        """Ask for its end; wherever it runs, it is ended as soon as this is seen."""
        (self.folder / "cancel").touch()

    def read(self, name: str) -> str:
        """Read a file of the folder; empty where there is none."""
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder: readers see the old one or the new one.

        The rename also makes the host look anew at a folder on a network file system.
        """
        part = self.folder / f".{name}.{os.getpid()}"
        part.write_text(text)
        part.replace(self.folder / name)

    def processes(self) -> list[int]:
        """Find the processes of the job on this host, without the one that asks."""
        return [pid for pid in _marked(f"{MARK}={self.id}") if pid != os.getpid()]

    def signal(self, number: int) -> bool:
        """Send a signal to all its processes here; tell whether there were any."""
        found = self.processes()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(found)

    def kill(self) -> None:
        """End all its processes on this host now; those that are being started, too."""
        until = time.monotonic() + _KILL_S
        while self.signal(signal.SIGKILL) and time.monotonic() < until:
            time.sleep(0.05)


def _marked(mark: str) -> Iterator[int]:
    """Find processes by a variable of their environment: numbers are used again, ids are not."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # It has ended, or is of another user.
            if f"{mark}\0".encode() in path.read_bytes():
                yield int(path.parent.name)
