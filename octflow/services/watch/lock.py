"""One watcher per project: a kernel lock, which dies with its process, and words beside it."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from octflow.core.errors import OctflowError


class WatchedError(OctflowError):
    """Another watcher has the project."""

    kind = "data"


@contextmanager
def sole_watcher(project: Path) -> Iterator[None]:
    """Be the only watcher of a project, as long as the block runs.

    Parameters
    ----------
    project : Path
        Project folder.

    Raises
    ------
    WatchedError
        Another watcher is alive; it says which.
    """
    path = project / "watch" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, project)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _words().encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, project: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WatchedError(
            f"{project}: found a watcher {_who(os.pread(descriptor, 1000, 0))}, expected none"
        ) from None


def _words() -> str:
    """Say who has the lock, for people and for the refusal of others."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started_at": now})


def _who(words: bytes) -> str:
    try:
        told = json.loads(words)
        return f"(process {told['pid']} on {told['host']}, since {told['started_at']})"
    except (ValueError, KeyError):
        return "that has just begun"
