"""Find flags and failed attempts that are new, and keep their events in the project's log."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError
from octflow.core.experiment import Experiment
from octflow.core.layout import FLAGS
from octflow.core.record import Record
from octflow.io.records import read_record
from octflow.services.events.catalogue import (
    NAMES,
    PREFIX,
    Context,
    Event,
    event_of,
    progress_event,
)
from octflow.services.events.journal import Journal

log = logging.getLogger(__name__)

FOLDER = Path("state/events")
"""Log of events and journals of listeners, relative to the project folder."""

_FAILED = b'"status": "failed"'
_HEAD_BYTES = 1024
"""The status stands in the beginning of a record; the many that succeeded need not be read."""


def _pattern(flag: str) -> str:
    return re.sub(r"\\\{[^}]*\\\}", r"[^/]+", re.escape(flag))


_FLAG = re.compile("|".join(_pattern(flag) for flag in FLAGS.values()))

Stamp = tuple[int, int]
"""Time of change, in ns, and size of a file."""


class EventLog:
    """All events of a project in the order they were found, and the look for new ones.

    An event is in the log before any listener is told, so that a flag that is replaced, or
    retired, does not take its event with it. A line is one record with all its events.

    Parameters
    ----------
    project : Path
        Project folder.
    context : Context
        What every event says of the project.
    experiment : Experiment
        Tells how many tiles a mosaic has.
    """

    def __init__(self, project: Path, context: Context, experiment: Experiment) -> None:
        self.project = project
        self.context = context
        self.experiment = experiment
        self._journal = Journal(project / FOLDER / "events.jsonl")
        self.load()

    def load(self) -> None:
        """Read the log from the disk, and forget everything else."""
        self._seen: dict[str, Stamp] = {}
        self._ids: set[str] = set()
        self._tiles: dict[int, dict[int, int]] = {}
        self._failing: set[tuple[str, str]] = set()
        self.events: list[Event] = []
        for line in self._journal.read():
            self._seen[line["path"]] = (line["mtime_ns"], line["bytes"])
            self._remember([Event.model_validate(plain) for plain in line["events"]])

    def scan(self) -> None:
        """Look for what is new; `events` has it once it is on disk."""
        records = sorted(self._new_records(), key=lambda found: found[0].ended_at)
        lines = []
        for record, path, stamp in records:
            if told := self._told_by(record, path):
                self._remember(told)
                lines.append(_line(told, path, stamp))
        try:
            self._journal.append(*lines)
        except OSError:
            self.load()  # What the disk did not take is found again by the next look.
            raise

    def _new_records(self) -> Iterator[tuple[Record, str, Stamp]]:
        for file in self._files():
            path = str(file.relative_to(self.project))
            try:
                found = file.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                if self._seen.get(path) == stamp:
                    continue
                record = self._record(file, path)
            except FileNotFoundError:
                continue  # Replaced or retired since the folder was listed.
            except DataError as error:
                log.warning("no event: %s", error)
                record = None
            self._seen[path] = stamp
            if record:
                yield record, path, stamp

    def _record(self, file: Path, path: str) -> Record | None:
        """Read a flag, or an attempt that failed; None for attempts that succeeded."""
        if path.startswith("lineage/"):
            with file.open("rb") as opened:
                if _FAILED not in opened.read(_HEAD_BYTES):
                    return None
        record = read_record(file)
        return record if record.rule in NAMES else None

    def _files(self) -> Iterator[Path]:
        for folder in [self.project / "state", *sorted(self.project.glob("mosaic-*/state"))]:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            relative = folder.relative_to(self.project)
            yield from (file for file in files if _FLAG.fullmatch(f"{relative}/{file.name}"))
        yield from sorted(self.project.glob("lineage/*/*/attempt-*.json"))

    def _told_by(self, record: Record, path: str) -> list[Event]:
        event = event_of(record, path, self.context)
        if event.id in self._ids:
            return []
        if record.status == "failed":
            again = _job(event) in self._failing
            event = event.model_copy(update={"data": {**event.data, "again": again}})
        return [event, *self._progress(event)]

    def _progress(self, event: Event) -> list[Event]:
        """Return the quarter of the tiles that a batch completes; of several, the last."""
        if event.type != f"{PREFIX}batch.processed":
            return []
        mosaic, batch, tiles = _batch_tiles(event)
        before = self._tiles.get(mosaic, {})
        batches = self.experiment.batches_of(mosaic)
        expected = sum(len(self.experiment.tiles_of(mosaic, b)) for b in batches)
        done = sum({**before, batch: tiles}.values())
        percent = min(100, done * 4 // expected * 25)
        if percent <= min(100, sum(before.values()) * 4 // expected * 25):
            return []
        reached = progress_event(event, done, expected, percent)
        return [] if reached.id in self._ids else [reached]

    def _remember(self, events: list[Event]) -> None:
        for event in events:
            self._ids.add(event.id)
            self.events.append(event)
            if event.type.endswith(".failed"):
                self._failing.add(_job(event))
            else:
                self._failing.discard(_job(event))
            if event.type == f"{PREFIX}batch.processed":
                mosaic, batch, tiles = _batch_tiles(event)
                self._tiles.setdefault(mosaic, {})[batch] = tiles


def _job(event: Event) -> tuple[str, str]:
    """Return rule and unit: what an attempt is an attempt of."""
    return event.data["rule"], str(sorted(event.data["unit"].items()))


def _batch_tiles(event: Event) -> tuple[int, int, int]:
    """Return mosaic, batch and number of tiles that a processed batch accounts for."""
    unit, totals = event.data["unit"], event.data["totals"]
    tiles = sum(totals.get(f"tiles_{word}", 0) for word in ("ok", "failed", "missing"))
    return unit["mosaic"], unit["batch"], int(tiles)


def _line(events: list[Event], path: str, stamp: Stamp) -> dict[str, Any]:
    plain = [event.model_dump() for event in events]
    return {"path": path, "mtime_ns": stamp[0], "bytes": stamp[1], "events": plain}
