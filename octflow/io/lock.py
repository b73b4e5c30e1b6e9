"""A lock between processes, on one host or on several that share a file system.

A lock is a folder of numbered files; the one with the highest number says who has it, or that it
is free. It is taken by linking the file with the next number, which only one can do, and needs no
locks of the file system. The number of a lock that was taken over has passed: its holder, however
long it was stopped, can see that. Clocks of different hosts are never compared.
"""

import contextlib
import json
import logging
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from octflow.core.errors import OctflowError
from octflow.io.processes import place, ticks_of

log = logging.getLogger(__name__)

LEASE_S = 60.0
"""A holder on another host that has not been heard of for so long is gone."""
WAIT_S = 90.0
"""Longest wait for a lock; more than the lease, so that the lock of a host that is gone is had."""
_BEATS = 6
_STEP_S = 0.02
_LONGEST_STEP_S = 0.5
_NAME = re.compile(r"lock-(\d{8,})")
_FREE = b"free\n"

Loaded = TypeVar("Loaded")


class LockedError(OctflowError):
    """Somebody else has the lock."""

    kind = "transient"


class LostLockError(OctflowError):
    """The lock was taken over while it was held: nothing may be written any more."""

    kind = "transient"


@dataclass(frozen=True)
class Holder:
    """Who has a lock."""

    host: str
    pid: int
    since: str
    """UTC, ISO 8601, by the clock of the holder; for people."""
    purpose: str
    """What it was taken for."""
    place: str
    """Where process numbers mean what they mean to the holder."""
    ticks: int
    """When the process started; tells it from a later one of the same number."""
    token: str
    """Tells it from every other holder."""

    @property
    def lives(self) -> bool | None:
        """Whether the process is alive; None where that cannot be seen from here."""
        if self.place != place():
            return None
        return ticks_of(self.pid) == self.ticks

    def __str__(self) -> str:
        """Say it to a person."""
        return f"process {self.pid} on {self.host}, since {self.since} ({self.purpose})"


@dataclass
class Lock:
    """One lock; `holding` takes it.

    Parameters
    ----------
    folder : Path
        Folder of its files; made when it is first taken.
    lease_s : float
        A holder that cannot be seen from here and gives no sign for so long is gone, s.
    """

    folder: Path
    lease_s: float = LEASE_S
    _number: int = field(default=0, init=False)

    @contextmanager
    def holding(self, purpose: str, *, wait_s: float = WAIT_S) -> Iterator[None]:
        """Hold the lock while the block runs.

        Parameters
        ----------
        purpose : str
            What for; others are told.
        wait_s : float
            Longest wait, s.

        Raises
        ------
        LockedError
            Somebody else has it; it says who, where and since when.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take(_holder(purpose), wait_s)
        ended = threading.Event()
        beats = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        beats.start()
        try:
            yield
        finally:
            ended.set()
            beats.join()
            self._release()

    def check(self) -> None:
        """Raise unless it is still held: to be called before anything is written.

        Raises
        ------
        LostLockError
            Somebody took it over.
        """
        if self._number != (last := self._last()):
            raise LostLockError(
                f"{self.folder}: found number {last}, expected {self._number}: "
                "this process gave no sign for too long, and the lock was taken over"
            )

    def holder(self) -> Holder | None:
        """Return who has it, alive or not; None where it is free. Changes nothing."""
        return self._look(self._last())[0]

    def unchanged(self, load: Callable[[], Loaded], *, wait_s: float = WAIT_S) -> Loaded:
        """Load something while nobody alive holds the lock, without writing anything.

        It is loaded again where somebody took the lock, or gave a sign of life, meanwhile.

        Raises
        ------
        LockedError
            The lock was held all the time.
        """
        wait = _Wait(self, wait_s)
        while True:
            number = self._last()
            found = holder, stamp = self._look(number)
            if holder is None or wait.gone(number, holder, stamp):
                loaded = load()
                if self._last() == number and self._look(number) == found:
                    return loaded
            wait.step(holder)

    def take_away(self, holder: Holder) -> bool:
        """Take it from a holder, dead or alive; False where it has it no more.

        One that is alive finds out before it writes.
        """
        number = self._last()
        return self._look(number)[0] == holder and self._link(number + 1, _FREE)

    def _take(self, holder: Holder, wait_s: float) -> None:
        wait = _Wait(self, wait_s)
        content = json.dumps(asdict(holder)).encode()
        while True:
            number = self._last()
            other, stamp = self._look(number)
            free = other is None or wait.gone(number, other, stamp)
            if free and self._link(number + 1, content):
                break
            wait.step(other)
        self._number = number + 1
        for name, passed in self._numbers():
            if passed < self._number:
                (self.folder / name).unlink(missing_ok=True)

    def _link(self, number: int, content: bytes) -> bool:
        """Give a file with this content the number; tell whether nobody was faster."""
        path = self.folder / f"lock-{number:08d}"
        with self._written(content) as part:
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
            # A file server may have linked it although its first answer was lost.
            linked = part.stat().st_nlink == 2
        if linked and self._last() != number:
            path.unlink(missing_ok=True)  # The number had passed, and its file was cleared away.
            return False
        return linked

    def _release(self) -> None:
        path = self.folder / f"lock-{self._number:08d}"
        if self._last() == self._number:
            try:
                with self._written(_FREE) as part:
                    part.replace(path)
            except OSError as error:  # A full disk: it names nobody then, and is free in a while.
                log.warning("%s: not given back before %g s: %s", path, self.lease_s, error)
                os.truncate(path, 0)
        self._number = 0

    @contextmanager
    def _written(self, content: bytes) -> Iterator[Path]:
        part = self.folder / f".part-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            part.write_bytes(content)
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _beat(self, ended: threading.Event) -> None:
        path = self.folder / f"lock-{self._number:08d}"
        while not ended.wait(self.lease_s / _BEATS):
            with contextlib.suppress(OSError):  # A mount that hiccups; the next sign may pass.
                os.utime(path)

    def _last(self) -> int:
        return max((number for _, number in self._numbers()), default=0)

    def _numbers(self) -> list[tuple[str, int]]:
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return []
        matches = (_NAME.fullmatch(name) for name in names)
        return [(match.group(), int(match.group(1))) for match in matches if match]

    def _look(self, number: int) -> tuple[Holder | None, int]:
        """Return who has a number, and when it last gave a sign, ns by any clock."""
        try:
            # Opened, not only looked at: a mounted file system asks the server when it is opened.
            with (self.folder / f"lock-{number:08d}").open("rb") as file:
                content, stamp = file.read(), os.fstat(file.fileno()).st_mtime_ns
        except FileNotFoundError:
            return None, 0
        return (None if content == _FREE else _read(content)), stamp


class _Wait:
    """Waits for a lock, and finds out whether its holder is gone."""

    def __init__(self, lock: Lock, wait_s: float) -> None:
        self._lock = lock
        self._until_s = time.monotonic() + wait_s
        self._step_s = _STEP_S
        self._sign: tuple[int, int] = (0, 0)
        self._since_s = 0.0
        self._told = False

    def gone(self, number: int, holder: Holder, stamp: int) -> bool:
        """Tell whether a holder has ended, or has given no sign for the lease."""
        if (lives := holder.lives) is not None:
            return not lives
        now_s = time.monotonic()
        if (number, stamp) != self._sign:
            self._sign, self._since_s = (number, stamp), now_s
        return now_s - self._since_s >= self._lock.lease_s

    def step(self, holder: Holder | None) -> None:
        """Sleep for a moment, or refuse."""
        if time.monotonic() >= self._until_s:
            found = "locked by others all the time" if holder is None else f"locked by {holder}"
            raise LockedError(f"{self._lock.folder}: found it {found}, expected it free")
        if holder is not None and self._step_s == _LONGEST_STEP_S and not self._told:
            log.warning("waiting for %s, locked by %s", self._lock.folder, holder)
            self._told = True
        time.sleep(self._step_s * (0.5 + secrets.randbelow(1000) / 1000))
        self._step_s = min(_LONGEST_STEP_S, self._step_s * 1.5)


def _read(content: bytes) -> Holder:
    """Read who has a lock; of a file that a power cut emptied, nobody knows."""
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return Holder("an unknown host", 0, "an unknown time", "unknown", "", 0, "")


def _holder(purpose: str) -> Holder:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return Holder(platform.node(), pid, now, purpose, place(), ticks_of(pid), secrets.token_hex(8))
