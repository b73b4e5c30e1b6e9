"""What a project folder shows at one look: flags by name, attempts of jobs without one."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octflow.services.jobs import Job


@dataclass(frozen=True)
class Failed:
    """A job whose last attempt failed, and that has no flag."""

    job: str
    """The job in words."""
    attempts: int
    """How often it was tried."""
    kind: str
    """data, transient, resource or code."""
    reason: str
    """One line."""
    ended_at: str
    """UTC, ISO 8601."""
    record: str
    """Record of that attempt, relative to the project folder."""


@dataclass
class Seen:
    """One look at the flags of a project; no flag is opened.

    Parameters
    ----------
    project : Path
        Project folder.
    """

    project: Path
    flags: dict[str, float] = field(default_factory=dict, init=False)
    """Flags, relative to the project folder, and when they were written, seconds of the epoch;
    0 where that was not asked for."""
    _tried: dict[str, set[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Look."""
        for folder in ("", *sorted(_names(self.project, "mosaic-"))):
            self._look(str(Path(folder, "state")))

    def _look(self, folder: str) -> None:
        try:
            with os.scandir(self.project / folder) as entries:
                for entry in entries:
                    timed = entry.name.endswith(".processed")
                    self.flags[f"{folder}/{entry.name}"] = _written_s(entry) if timed else 0.0
        except OSError:
            return  # Nothing of it has been made.

    def failure(self, job: Job) -> Failed | None:
        """Return why the last attempt of a job without a flag failed; None where none did."""
        if job.rule not in self._tried:
            self._tried[job.rule] = set(_names(self.project / "lineage" / job.rule, ""))
        if job.lineage.name not in self._tried[job.rule]:
            return None
        attempts = sorted(_names(self.project / job.lineage, "attempt-"))
        last = job.lineage / attempts[-1] if attempts else None
        record = _record(self.project / last) if last else {}
        if record.get("status") != "failed":
            return None
        error = record["error"]
        said = (error["kind"], error["message"], record["ended_at"])
        return Failed(job.name, len(attempts), *said, str(last))


def _written_s(entry: os.DirEntry) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # Taken away since: Snakemake removes the flag of a job it repeats.
        return 0.0


def _names(folder: Path, start: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (e.name for e in entries if e.name.startswith(start))
    except OSError:
        return


def _record(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found
