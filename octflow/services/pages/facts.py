"""What the pages tell of flags: read once from each record, and kept beside the pages."""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from octflow.core.record import Unit
from octflow.io.atomic import replacing
from octflow.services.jobs import Job

_FORMAT = 1
"""Raised when what is kept changes: older files are then not used."""

Stamp = list[int]
"""Time of change, in ns, and size of a flag."""


@dataclass(frozen=True)
class Fact:
    """What the pages tell of one record."""

    job: str
    """The job in words."""
    rule: str
    flag: str
    """Its flag, relative to the project folder."""
    unit: dict[str, int | str]
    """Slice, mosaic, batch, illumination, as far as it has them."""
    ended_s: float
    """Seconds of the epoch."""
    wall_s: float
    attempt: int
    ok: int
    """Tiles that gave their products."""
    failed: dict[str, str]
    """Reasons by tile."""
    missing: dict[str, str]
    """Likewise, of tiles that were declared missing or had failed before."""
    gates: list[dict[str, Any]]
    """Name, verdict, value and bound."""
    warnings: list[str]

    @property
    def tiles(self) -> int:
        """Tiles worked on, those without a product included."""
        return self.ok + len(self.failed) + len(self.missing)

    @property
    def missed(self) -> list[dict[str, Any]]:
        """Gates that were not passed."""
        return [gate for gate in self.gates if gate["verdict"] != "pass"]


@dataclass
class Facts:
    """All that was read."""

    by_folder: dict[str, dict[str, Fact]] = field(default_factory=dict)
    """By folder in the project (the project itself is "") and flag."""
    unread: int = 0
    """Records there was no time for: the next look goes on with them."""
    broken: list[str] = field(default_factory=list)
    """Files among the flags that are no records."""

    def of(self, folder: str) -> list[Fact]:
        """Return the facts of a folder, by the ends of their jobs."""
        return sorted(self.by_folder.get(folder, {}).values(), key=lambda fact: fact.ended_s)


def read_facts(project: Path, kept: Path, *, until_s: float) -> Facts:
    """Read the records of all flags that are new or have changed since they were last read.

    Parameters
    ----------
    project : Path
        Project folder.
    kept : Path
        Folder where what was read is kept, one file for each folder of flags.
    until_s : float
        Reading, newest first, ends when the monotonic clock shows this.
    """
    facts, known, todo = Facts(), {}, []
    for folder in _folders(project):
        known[folder] = _kept(kept / _name(folder))
        stamps = dict(_flags(project, folder))
        kept_here = {f: e for f, e in known[folder].items() if stamps.get(f) == e["stamp"]}
        todo += [(stamp, folder, flag) for flag, stamp in stamps.items() if flag not in kept_here]
        changed = len(kept_here) < len(known[folder])
        known[folder] = kept_here
        if changed:
            _keep(kept / _name(folder), kept_here)
    facts.unread = _read(project, kept, known, sorted(todo, reverse=True), until_s)
    for folder, entries in known.items():
        told = {flag: entry["told"] for flag, entry in entries.items()}
        facts.by_folder[folder] = {f: Fact(**values) for f, values in told.items() if values}
        facts.broken += [flag for flag, values in told.items() if not values]
    return facts


def _read(
    project: Path,
    kept: Path,
    known: dict[str, dict[str, Any]],
    todo: list[tuple[Stamp, str, str]],
    until_s: float,
) -> int:
    """Read records, newest first, and keep what they say; return how many are left."""
    changed, left = set(), len(todo)
    for stamp, folder, flag in todo:
        if time.monotonic() > until_s:
            break
        left -= 1
        try:
            content = (project / flag).read_bytes()
        except OSError:
            continue  # Replaced or retired since the folder was listed.
        known[folder][flag] = {"stamp": stamp, "told": _told(flag, content)}
        changed.add(folder)
    for folder in sorted(changed):
        _keep(kept / _name(folder), known[folder])
    return left


def _told(flag: str, content: bytes) -> dict[str, Any] | None:
    """Return the values of a fact; None of what is no record."""
    try:
        record = json.loads(content)
        unit = Unit.model_validate(record["unit"])
        tiles = record["tiles"] or {"ok": [], "failed": [], "missing": []}
        return {
            "job": Job(record["rule"], unit).name,
            "rule": record["rule"],
            "flag": flag,
            "unit": unit.model_dump(exclude_none=True, exclude={"project"}),
            "ended_s": datetime.fromisoformat(record["ended_at"]).timestamp(),
            "wall_s": record["wall_s"],
            "attempt": record["attempt"],
            "ok": len(tiles["ok"]),
            "failed": _reasons(tiles["failed"]),
            "missing": _reasons(tiles["missing"]),
            "gates": record["gates"],
            "warnings": record["warnings"],
        }
    except (ValueError, KeyError, TypeError):
        return None


def _reasons(tiles: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {str(tile["tile"]): tile["reason"] for tile in tiles}


def _folders(project: Path) -> list[str]:
    """Return the folders that have flags: the project, and its mosaics."""
    try:
        with os.scandir(project) as entries:
            return ["", *sorted(e.name for e in entries if e.name.startswith("mosaic-"))]
    except OSError:
        return [""]


def _flags(project: Path, folder: str) -> Iterator[tuple[str, Stamp]]:
    """Yield the flags of a folder with their stamps; other files there have a suffix of data."""
    start = f"{folder}/state" if folder else "state"
    try:
        with os.scandir(project / start) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(".json") or entry.is_dir():
                    continue
                found = entry.stat()
                yield f"{start}/{entry.name}", [found.st_mtime_ns, found.st_size]
    except OSError:
        return  # Nothing of it has been made.


def _name(folder: str) -> str:
    return f"{folder or 'project'}.json"


def _kept(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    entries: dict[str, Any] = content["flags"] if content.get("format") == _FORMAT else {}
    return entries


def _keep(path: Path, entries: dict[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps({"format": _FORMAT, "flags": entries}) + "\n")
