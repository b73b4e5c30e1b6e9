"""The locks of a project: whose they are, and an end to those that nobody alive holds."""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octflow.services.retire import state_lock
from octflow.workflow.alive import join_runs

State = Literal["free", "alive", "left", "unknown"]
"""left: by a process that has ended; unknown: its holder cannot be seen from here."""


@dataclass(frozen=True)
class Found:
    """A lock, as it was found and what became of it."""

    name: str
    """What it is."""
    state: State
    """Whether anybody alive holds it."""
    holder: str
    """Who; empty where nobody does."""
    removed: bool = False
    """Whether it was taken away."""
    advice: str = ""
    """What can be done about one that was not."""

    @property
    def is_refused(self) -> bool:
        """Whether it was left as it is, although it is locked."""
        return self.state != "free" and not self.removed


def unlock(project: Path, *, force: bool = False) -> list[Found]:
    """Look at the locks of a project, and take away those that nobody alive holds.

    Parameters
    ----------
    project : Path
        Project folder.
    force : bool
        Take away those of Snakemake and of the state whoever holds them.
    """
    return [
        _snakemake(project, force=force),
        _state(project, force=force),
        _kernel("the watcher", project / "watch" / "lock", fcntl.flock),
        _kernel("octflow events", project / "state" / "events" / "lock", fcntl.lockf),
    ]


def _snakemake(project: Path, *, force: bool) -> Found:
    """Snakemake's locks are files that name no holder; runs hold a kernel lock beside them."""
    files = list((project / ".snakemake" / "locks").glob("*.lock"))
    alive = project / ".snakemake" / "alive"
    name = f"Snakemake ({len(files)} lock files)"
    if not files:
        return Found(name, "free", "")
    state: State = "left" if not _is_held(alive, fcntl.flock) else "unknown"
    processes = _processes(alive) if state == "unknown" else []
    if processes:
        state = "alive"
    if state == "left":
        os.close(join_runs(project))  # Removes them while no run can begin.
    elif force:
        for file in files:
            file.unlink(missing_ok=True)
    who = {
        "alive": f"runs on this host: processes {', '.join(map(str, processes))}",
        "left": "a run that has ended",
        "unknown": "a run on another host",
    }
    return Found(name, state, who[state], force or state == "left", "let it end, or --force")


def _state(project: Path, *, force: bool) -> Found:
    lock = state_lock(project)
    if (holder := lock.holder()) is None:
        return Found("the state", "free", "")
    states: dict[bool | None, State] = {True: "alive", False: "left", None: "unknown"}
    state = states[holder.lives]
    remove = (force or state == "left") and lock.take_away(holder)
    advice = "wait: one without a sign for 60 s is passed over; or --force"
    return Found("the state", state, str(holder), remove, advice)


def _kernel(name: str, path: Path, take: Callable[[int, int], None]) -> Found:
    """Kernel locks end with their process: there is nothing to be taken away."""
    if not path.exists() or not _is_held(path, take):
        return Found(name, "free", "")
    processes, told = _processes(path), _words(path)
    here = f"process {', '.join(map(str, processes))} on this host"
    state: State = "alive" if processes else "unknown"
    return Found(
        name, state, told or (here if processes else "another host"), advice="ends with it"
    )


def _is_held(path: Path, take: Callable[[int, int], None]) -> bool:
    """Tell whether anybody has a kernel lock, on this host or where locks are passed on."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _processes(path: Path) -> list[int]:
    """Return the processes of this host that hold a kernel lock of a file."""
    file = path.stat()
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return sorted({int(words[4]) for words in lines if device in words and "->" not in words})


def _words(path: Path) -> str:
    """Say who wrote itself into a lock file, if anybody did."""
    try:
        told = json.loads(path.read_bytes())
        return f"process {told['pid']} on {told['host']}, since {told['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
