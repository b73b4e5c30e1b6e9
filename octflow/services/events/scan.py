"""Find flags and failed attempts that are new, and keep their events in the project's log."""

import copy
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError
from octflow.core.experiment import Experiment
from octflow.core.layout import FLAGS
from octflow.core.record import Record
from octflow.io.records import read_record
from octflow.services.events.catalogue import (
    NAMES,
    PROCESSED,
    Context,
    Event,
    event_of,
    progress_event,
)
from octflow.services.events.given_up import FOLDER as GIVEN_UP
from octflow.services.events.given_up import event_of_given_up, read_given_up
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
        self._seen: dict[str, Stamp] = {}
        self._known = _Known()
        self.events: list[Event] = []
        for line in self._journal.read():
            self._seen[line["path"]] = (line["mtime_ns"], line["bytes"])
            for event in (Event.model_validate(plain) for plain in line["events"]):
                self._known.add(event)
                self.events.append(event)

    def scan(self) -> None:
        """Look for what is new; `events` has it once it is on disk.

        Raises
        ------
        OSError
            Something cannot be read or written; all of it is found again by the next look.
        """
        seen: dict[str, Stamp] = {}
        # By the end of their jobs, and as events: the records of a whole project fill memory.
        found = sorted(self._new_events(seen), key=lambda item: item[0].time)
        known = copy.deepcopy(self._known) if found else self._known
        lines, events = [], []
        for event, path in found:
            if told := self._told_with(event, known):
                lines.append(_line(told, path, seen[path]))
                events += told
        self._journal.append(*lines)
        self._seen |= seen
        self._known = known
        self.events += events

    def _new_events(self, seen: dict[str, Stamp]) -> Iterator[tuple[Event, str]]:
        for file in self._files():
            path = str(file.relative_to(self.project))
            try:
                found = file.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                if self._seen.get(path) == stamp:
                    continue
                event = self._event(file, path)
            except FileNotFoundError:
                continue  # Replaced or retired since the folder was listed.
            except DataError as error:
                log.warning("no event: %s", error)
                event = None
            seen[path] = stamp
            if event:
                yield event, path

    def _event(self, file: Path, path: str) -> Event | None:
        if file.parent.name == GIVEN_UP.name:
            given_up = read_given_up(file)
            return event_of_given_up(given_up, path, self.context, self.experiment)
        record = self._record(file, path)
        return event_of(record, path, self.context) if record else None

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
        yield from sorted((self.project / GIVEN_UP).glob("*.json"))

    def _told_with(self, event: Event, known: "_Known") -> list[Event]:
        """Return an event, complete, with the one it brings along; nothing if it is known."""
        if event.id in known.ids:
            return []
        if event.type.endswith((".failed", ".given_up")):
            again = known.again(event)
            event = event.model_copy(update={"data": {**event.data, "again": again}})
        before = known.tiles_of(event)
        known.add(event)
        reached = self._progress(event, before, known.tiles_of(event))
        if reached is None or reached.id in known.ids:
            return [event]
        known.add(reached)
        return [event, reached]

    def _progress(self, event: Event, before: int, done: int) -> Event | None:
        """Return the quarter of the tiles that a batch completes; of several, the last."""
        if event.type != PROCESSED:
            return None
        mosaic = event.data["unit"]["mosaic"]
        batches = self.experiment.batches_of(mosaic)
        expected = sum(len(self.experiment.tiles_of(mosaic, batch)) for batch in batches)
        percent = min(100, done * 4 // expected * 25)
        if percent <= before * 4 // expected * 25:
            return None
        return progress_event(event, done, expected, percent)


@dataclass
class _Known:
    """What events of the past decide of those to come."""

    ids: set[str] = field(default_factory=set)
    failing: set[tuple[str, str]] = field(default_factory=set)
    tiles: dict[int, dict[int, int]] = field(default_factory=dict)
    """Tiles worked on, by mosaic and batch."""
    archive_says: set[str] = field(default_factory=set)
    """Why uploads failed or were given up, as people know since one has succeeded."""

    def again(self, event: Event) -> bool:
        """Tell whether a failure is known to people, of this job or of another upload.

        An archive that refuses the key refuses as many uploads as there are.
        """
        if _cause(event) in self.archive_says:
            return True
        return event.type.endswith(".failed") and _job(event) in self.failing

    def add(self, event: Event) -> None:
        """Remember an event."""
        self.ids.add(event.id)
        if event.type.endswith((".failed", ".given_up")):
            self.failing.add(_job(event))
            if not event.data.get("again") and (cause := _cause(event)):
                self.archive_says.add(cause)
        else:
            self.failing.discard(_job(event))
            if event.data["rule"].startswith("upload_"):
                self.archive_says.clear()
        if event.type == PROCESSED:
            unit, totals = event.data["unit"], event.data["totals"]
            tiles = sum(totals.get(f"tiles_{word}", 0) for word in ("ok", "failed", "missing"))
            self.tiles.setdefault(unit["mosaic"], {})[unit["batch"]] = int(tiles)

    def tiles_of(self, event: Event) -> int:
        """Return the tiles worked on of the mosaic of an event."""
        return sum(self.tiles.get(event.data["unit"].get("mosaic"), {}).values())


def _job(event: Event) -> tuple[str, str]:
    """Return rule and unit: what an attempt is an attempt of."""
    return event.data["rule"], str(sorted(event.data["unit"].items()))


def _cause(event: Event) -> str:
    """Return why an upload failed, in words that others have too; nothing of other jobs."""
    if not event.data["rule"].startswith("upload_"):
        return ""
    if event.type.endswith(".given_up"):
        return "given up"
    return str(event.data.get("error", {}).get("message", ""))


def _line(events: list[Event], path: str, stamp: Stamp) -> dict[str, Any]:
    plain = [event.model_dump() for event in events]
    return {"path": path, "mtime_ns": stamp[0], "bytes": stamp[1], "events": plain}
