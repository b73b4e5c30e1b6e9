"""One watcher per project: a kernel lock, which dies with its process, and words beside it."""

import contextlib
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


def see_lock(project: Path) -> os.stat_result:
    """Return what the lock file looks like.

    It is not made where it is lacking: a mount point without its mount is an empty folder, and
    nothing must be written there.

    Raises
    ------
    OSError
        It is not there, and so the project is not.
    """
    path = project / "watch" / "lock"
    try:
        return path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is not there: the project is away") from None


class ProjectLock:
    """The lock of a project: a file whose folder may go away and come back, as mounts do.

    Parameters
    ----------
    project : Path
        Project folder.
    """

    def __init__(self, project: Path) -> None:
        self._project, self._path = project, project / "watch" / "lock"
        self._descriptor = -1

    def take(self) -> None:
        """Take it.

        Raises
        ------
        WatchedError
            Another watcher is alive; it says which.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, self._project)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _words().encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self.release()
        self._descriptor = descriptor

    def check(self) -> None:
        """See that the project is still there and ours; take the lock again if it was away.

        Raises
        ------
        OSError
            The project folder is not there: nothing may be judged by what it lacks.
        WatchedError
            It came back with another watcher.
        """
        if _identity(see_lock(self._project)) != self._mine():
            self.take()

    def release(self) -> None:
        """Let others take it."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # Of a mount that is gone.
                os.close(self._descriptor)
        self._descriptor = -1

    def _mine(self) -> tuple[int, int]:
        try:
            return _identity(os.fstat(self._descriptor))
        except OSError:
            return -1, -1


@contextmanager
def sole_watcher(project: Path) -> Iterator[ProjectLock]:
    """Be the only watcher of a project, as long as the block runs.

    Parameters
    ----------
    project : Path
        Project folder.

    Yields
    ------
    lock : ProjectLock
        What tells whether the folder is still there.

    Raises
    ------
    WatchedError
        Another watcher is alive; it says which.
    """
    (project / "watch").mkdir(parents=True, exist_ok=True)
    lock = ProjectLock(project)
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


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
