"""Access to the state of a part of the sample: opened to change it, or read as it stands.

Three kinds, none of which may be mistaken for another: `open_*` hold the lock of the project's
state and write when the block ends well; `read_*` return what no `open_*` was changing; looks
without a lock, for display, are `octflow.services.state.peek_project`.

The lock is between people and services. Jobs of the workflow write flags without it: each is
written whole, and nothing that is opened here is ever written by a job, but for flags.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from octflow.core.layout import FLAGS, job_of, rank_of
from octflow.core.part import Part
from octflow.core.record import Record
from octflow.io.lock import WAIT_S, Lock
from octflow.io.marks import Kind, Mark, read_marks, write_marks
from octflow.io.records import read_record, write_record
from octflow.services.parts import flags_in
from octflow.services.retire import now, retire, state_lock, who
from octflow.workflow.session import Session


@dataclass(frozen=True)
class View:
    """A part of the sample as it stood at one moment."""

    part: Part
    flags: Mapping[str, Record]
    """Flags by their path, relative to the project folder."""
    marks: tuple[Mark, ...]
    """What people decided about this part, the oldest first."""


class Flags(MutableMapping[str, Record]):
    """The flags of a part by their path; what is set or deleted is so only when it is saved.

    Parameters
    ----------
    project : Path
        Project folder.
    paths : iterable of str
        Flags that are there.
    """

    def __init__(self, project: Path, paths: Mapping[str, object]) -> None:
        self._project = project
        self._there = dict.fromkeys(paths)
        self._set: dict[str, Record] = {}
        self._deleted: list[str] = []

    def __getitem__(self, path: str) -> Record:
        if path in self._set:
            return self._set[path]
        if path not in self._there:
            raise KeyError(path)
        return read_record(self._project / path)

    def __setitem__(self, path: str, record: Record) -> None:
        if job_of(path) is None:
            raise KeyError(f"{path}: found no flag, expected one of {', '.join(FLAGS.values())}")
        self._set[path] = record

    def __delitem__(self, path: str) -> None:
        if path not in self:
            raise KeyError(path)
        self._set.pop(path, None)
        if path in self._there:
            del self._there[path]
            self._deleted.append(path)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._there, **dict.fromkeys(self._set)})

    def __len__(self) -> int:
        return len({*self._there, *self._set})

    def save(self, *, reason: str, lock: Lock) -> None:
        """Retire what was deleted, those downstream first, and write what was set, them last."""
        retire(self._project, self._deleted, reason=reason, lock=lock)
        for path in sorted(self._set, key=rank_of):
            lock.check()
            write_record(self._project / path, self._set[path])


@dataclass
class Opened:
    """A part of the sample, to be changed. Only within its `open_*` block."""

    part: Part
    flags: Flags
    """By their path. Set one: it is written; delete one: it is moved to the history."""
    reason: str
    """Why things are changed; kept with what is moved."""
    marks: tuple[Mark, ...]
    """What people decided about this part so far."""
    _new: list[Mark] = field(default_factory=list, init=False)

    def note(self, text: str) -> None:
        """Leave a note."""
        self._mark("note", text)

    def hold(self, text: str) -> None:
        """Keep the workflow off this part, until it is released."""
        self._mark("hold", text)

    def release(self, text: str) -> None:
        """Let the workflow go on with this part."""
        self._mark("release", text)

    def _mark(self, kind: Kind, text: str) -> None:
        self._new.append(Mark(kind, self.part, text, who(), now()))

    def save(self, project: Path, lock: Lock) -> None:
        """Write everything that was changed."""
        lock.check()
        if self._new:
            write_marks(project, [*read_marks(project), *self._new])
        self.flags.save(reason=self.reason, lock=lock)


@contextmanager
def open_part(
    session: Session, part: Part, reason: str, *, wait_s: float = WAIT_S
) -> Iterator[Opened]:
    """Open a part of the sample: hold the lock, and save what was changed when the block ends.

    Nothing is saved when the block raises.

    Parameters
    ----------
    session : Session
        The project.
    part : Part
        Which part.
    reason : str
        Why; told to others who wait for the lock, and kept in the history.
    wait_s : float
        Longest wait for the lock, s.

    Raises
    ------
    LockedError
        Somebody else has the project open; it says who, where and since when.
    LostLockError
        The lock was taken over, as this process had stopped for too long: nothing is saved.
    """
    lock = state_lock(session.project)
    with lock.holding(reason, wait_s=wait_s):
        flags = Flags(session.project, flags_in(session, part))
        opened = Opened(part, flags, reason, _marks_of(session.project, part))
        yield opened
        opened.save(session.project, lock)


@contextmanager
def open_batch(session: Session, mosaic: int, batch: int, reason: str) -> Iterator[Opened]:
    """Open a batch; see `open_part`."""
    with open_part(session, Part(mosaic=mosaic, batch=batch), reason) as opened:
        yield opened


@contextmanager
def open_mosaic(session: Session, mosaic: int, reason: str) -> Iterator[Opened]:
    """Open a mosaic with its batches; see `open_part`."""
    with open_part(session, Part(mosaic=mosaic), reason) as opened:
        yield opened


@contextmanager
def open_slice(session: Session, slice_id: int, reason: str) -> Iterator[Opened]:
    """Open a slice with its mosaics; see `open_part`."""
    with open_part(session, Part(slice=slice_id), reason) as opened:
        yield opened


@contextmanager
def open_project(session: Session, reason: str) -> Iterator[Opened]:
    """Open a whole project; see `open_part`."""
    with open_part(session, Part(), reason) as opened:
        yield opened


def read_part(session: Session, part: Part, *, wait_s: float = WAIT_S) -> View:
    """Read a part of the sample as it stands while nobody has the project open.

    Writes nothing. Flags that a job of the workflow takes away meanwhile are not there.

    Raises
    ------
    LockedError
        Somebody had it open all the time.
    """

    def load() -> View:
        paths = flags_in(session, part)
        records = {path: _record(session.project / path) for path in paths}
        there = {path: record for path, record in records.items() if record is not None}
        return View(part, MappingProxyType(there), _marks_of(session.project, part))

    return state_lock(session.project).unchanged(load, wait_s=wait_s)


def read_batch(session: Session, mosaic: int, batch: int) -> View:
    """Read a batch; see `read_part`."""
    return read_part(session, Part(mosaic=mosaic, batch=batch))


def read_mosaic(session: Session, mosaic: int) -> View:
    """Read a mosaic with its batches; see `read_part`."""
    return read_part(session, Part(mosaic=mosaic))


def read_slice(session: Session, slice_id: int) -> View:
    """Read a slice with its mosaics; see `read_part`."""
    return read_part(session, Part(slice=slice_id))


def read_project(session: Session) -> View:
    """Read a whole project, with all its flags; see `read_part`."""
    return read_part(session, Part())


def _record(path: Path) -> Record | None:
    try:
        return read_record(path)
    except FileNotFoundError:
        return None


def _marks_of(project: Path, part: Part) -> tuple[Mark, ...]:
    return tuple(mark for mark in read_marks(project) if mark.part == part)
