"""How far a project is: jobs done, failed and waiting, of all that are expected.

Everything is a look without a lock, for display: what is seen may be past by the time it is
printed, and nothing may be decided by it.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from octflow.core.layout import FLAGS
from octflow.io.marks import read_marks
from octflow.services.events.given_up import all_given_up
from octflow.services.jobs import Expected, Job
from octflow.services.seen import Failed, Seen
from octflow.workflow.remarks import failures_of, waits_of
from octflow.workflow.session import Session

PACE_BATCHES = 20
"""Latest batches that the pace is taken from."""


@dataclass(frozen=True)
class Count:
    """The jobs of one rule in one part of the sample."""

    rule: str
    expected: int
    """All that the experiment consists of, whether their tiles have come or not."""
    done: int
    """Those that have a flag."""
    failed: int
    """Those that have none, and whose last attempt failed."""
    open: int
    """Others all of whose tiles are there: running, queued, or to be asked for."""
    waiting: int
    """The rest: tiles are missing."""

    @property
    def done_percent(self) -> float:
        """Part that is done of what is expected."""
        return 100 * self.done / self.expected


@dataclass(frozen=True)
class BatchState:
    """A batch: what has become of each of its jobs, and the tiles it waits for."""

    mosaic: int
    batch: int
    tiles: int
    """Tiles it is expected to have."""
    jobs: dict[str, str]
    """By rule: done, failed, open or waiting."""
    absent: tuple[int, ...] = ()
    """Tiles that have not arrived."""
    settling: tuple[int, ...] = ()
    """Tiles that are still changing."""


@dataclass(frozen=True)
class MosaicState:
    """A mosaic with its batches."""

    mosaic: int
    slice: int
    illumination: str
    counts: tuple[Count, ...]
    batches: tuple[BatchState, ...]


@dataclass(frozen=True)
class SliceState:
    """A slice with its mosaics; the counts are of the slice and of all in it."""

    slice: int
    counts: tuple[Count, ...]
    mosaics: tuple[MosaicState, ...]


@dataclass(frozen=True)
class Pace:
    """How fast batches get done."""

    batches_per_hour: float | None
    """Over the latest batches, up to now; None where fewer than two are done."""
    left: int
    """Expected batches that are not processed."""
    hours_left: float | None
    """At that pace; None where it is not known, 0 where none is left."""


@dataclass(frozen=True)
class ProjectState:
    """All of it."""

    project: str
    folder: str
    counts: tuple[Count, ...]
    slices: tuple[SliceState, ...]
    pace: Pace
    failures: tuple[Failed, ...]
    waiting: tuple[str, ...]
    """What waits and for what, one line each."""
    notes: tuple[str, ...] = ()
    """What people noted, one line each, the oldest first."""
    given_up: tuple[str, ...] = ()
    """What the watcher no longer tries, one line each: even where no record says why."""
    failed_tiles: tuple[str, ...] = ()
    """Tiles that failed in batches that are done, one line each, where that was asked for."""


def peek_project(session: Session, *, tiles: bool = False) -> ProjectState:
    """Look at a project without locking it.

    Flags are looked at by name and only the last records of jobs that were tried and have no flag
    are opened, so that the cost grows with the folders and not with the content of records.

    Parameters
    ----------
    session : Session
        The project; one look for one session, which remembers what was there.
    tiles : bool
        Tell the failed tiles of batches that are done too, which opens all their flags.
    """
    state = _Look(session).project()
    return replace(state, failed_tiles=tuple(failures_of(session.ready))) if tiles else state


class _Look:
    """One look: what is expected held against what is there."""

    def __init__(self, session: Session) -> None:
        self.session, self.expected = session, Expected(session)
        self.seen = Seen(session.project)
        ready = session.ready
        self.batches, self.mosaics = set(ready.batches), set(ready.mosaics)
        self.slices = set(ready.slices)
        self.waits = {(w.mosaic, w.batch): w for w in ready.waiting}
        self.failures: list[Failed] = []

    def project(self) -> ProjectState:
        """Return all of it."""
        slices = tuple(self._slice(s) for s in self.expected.slices)
        own = [(job.rule, self._state(job, self._open(job))) for job in self.expected.of_project()]
        return ProjectState(
            project=self.session.config.project.name,
            folder=str(self.session.project),
            counts=_summed([*(c for s in slices for c in s.counts), *_counts(own)]),
            slices=slices,
            pace=_pace(slices, self.seen),
            failures=tuple(self.failures),
            waiting=tuple(waits_of(self.session.ready)),
            notes=tuple(str(m) for m in read_marks(self.session.project) if m.kind == "note"),
            given_up=tuple(map(str, all_given_up(self.session.project))),
        )

    def _slice(self, slice_id: int) -> SliceState:
        mosaics = self.session.config.experiment.mosaics_of(slice_id)
        states = tuple(self._mosaic(mosaic, slice_id) for mosaic in mosaics)
        is_open = slice_id in self.slices
        own = [(job.rule, self._state(job, is_open)) for job in self.expected.of_slice(slice_id)]
        counts = _summed([*(c for m in states for c in m.counts), *_counts(own)])
        return SliceState(slice_id, counts, states)

    def _mosaic(self, mosaic: int, slice_id: int) -> MosaicState:
        experiment = self.session.config.experiment
        batches = tuple(self._batch(mosaic, batch) for batch in experiment.batches_of(mosaic))
        is_open = mosaic in self.mosaics
        own = [(job.rule, self._state(job, is_open)) for job in self.expected.of_mosaic(mosaic)]
        counts = _counts([*(pair for b in batches for pair in b.jobs.items()), *own])
        name = experiment.illumination_of(mosaic).name
        return MosaicState(mosaic, slice_id, name, counts, batches)

    def _batch(self, mosaic: int, batch: int) -> BatchState:
        is_open = (mosaic, batch) in self.batches
        jobs = self.expected.of_batch(mosaic, batch)
        states = {job.rule: self._state(job, is_open) for job in jobs}
        tiles = self.session.config.experiment.tiles_of(mosaic, batch)
        if (waits := self.waits.get((mosaic, batch))) is not None:
            absent, settling = tuple(waits.tiles), tuple(waits.settling)
        else:
            held = self.session.ready.held(mosaic, batch)
            absent, settling = () if is_open or held else tuple(tiles), ()
        return BatchState(mosaic, batch, len(tiles), states, absent, settling)

    def _open(self, job: Job) -> bool:
        """Say whether the mosaics are there that a job not of one slice is done on."""
        if (name := job.unit.illumination) is None:
            return bool(self.slices & set(self.expected.stacked))
        return set(self.session.ready.templates_of(name)) <= self.mosaics

    def _state(self, job: Job, is_open: bool) -> str:
        if job.flag in self.seen.flags:
            return "done"
        if (failed := self.seen.failure(job)) is not None:
            self.failures.append(failed)
            return "failed"
        return "open" if is_open else "waiting"


def _counts(jobs: Iterable[tuple[str, str]]) -> tuple[Count, ...]:
    """Count (rule, state) pairs by rule."""
    found: dict[str, Counter[str]] = {}
    for rule, state in jobs:
        found.setdefault(rule, Counter())[state] += 1
    return tuple(
        Count(rule, n.total(), n["done"], n["failed"], n["open"], n["waiting"])
        for rule, n in _in_order(found)
    )


def _summed(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Add the counts of parts, rule by rule."""
    totals: dict[str, list[int]] = {}
    for count in counts:
        numbers = (count.expected, count.done, count.failed, count.open, count.waiting)
        before = totals.get(count.rule, [0] * len(numbers))
        totals[count.rule] = [a + b for a, b in zip(before, numbers, strict=True)]
    return tuple(Count(rule, *numbers) for rule, numbers in _in_order(totals))


def _in_order(by_rule: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the rules in the order of the data."""
    return [(rule, by_rule[rule]) for rule in FLAGS if rule in by_rule]


def _pace(slices: Iterable[SliceState], seen: Seen) -> Pace:
    """Take the pace from the times of flags, which are those of their ends."""
    batches = [c for s in slices for c in s.counts if c.rule == "process_batch"]
    left = sum(count.expected - count.done for count in batches)
    ended_s = sorted(t for flag, t in seen.flags.items() if t and flag.endswith(".processed"))
    latest_s = ended_s[-PACE_BATCHES:]
    rate = pace_of(latest_s, time.time())
    hours = 0.0 if not left else None if rate is None else left / rate
    return Pace(rate, left, hours)


def pace_of(ended_s: list[float], now_s: float) -> float | None:
    """Return how many batches an hour got done, from when each ended.

    Counted from the first end, whose own duration is not known, up to now, so that a standstill
    shows; None where there are fewer than two.

    Parameters
    ----------
    ended_s : list of float
        Ends, ascending, in seconds.
    now_s : float
        The clock.

    Examples
    --------
    >>> pace_of([0, 600, 1200, 1800], now_s=1800)
    6.0
    >>> pace_of([0, 600, 1200, 1800], now_s=3600)
    3.0
    """
    if len(ended_s) < 2 or max(now_s, ended_s[-1]) <= ended_s[0]:
        return None
    return (len(ended_s) - 1) / (max(now_s, ended_s[-1]) - ended_s[0]) * 3600
