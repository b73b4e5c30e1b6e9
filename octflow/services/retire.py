"""Set flags aside into the history of a project: nothing is deleted."""

import json
import platform
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from octflow.core.layout import LOCK, RETIRED, job_of, rank_of
from octflow.io.atomic import replacing
from octflow.io.lock import Lock
from octflow.io.processes import user


def state_lock(project: Path) -> Lock:
    """Return the lock that everybody holds who changes flags or marks by hand."""
    return Lock(project / LOCK)


def who() -> str:
    """Say who does something, and where."""
    return f"{user()} on {platform.node()}"


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def downstream_first(paths: Sequence[str]) -> list[str]:
    """Order files so that no flag is there whose inputs are gone, whenever one stops.

    What is no flag stays before the flag that follows it.

    Examples
    --------
    >>> downstream_first(["state/slice-001.started", "state/project.stacked"])
    ['state/project.stacked', 'state/slice-001.started']
    """
    ranks, last = {}, 0
    for path in reversed(paths):
        last = last if job_of(path) is None else -rank_of(path)
        ranks[path] = last
    return sorted(paths, key=lambda path: ranks[path])


def retire(project: Path, paths: Sequence[str], *, reason: str, lock: Lock) -> Path | None:
    """Move files to the history, those downstream first.

    Parameters
    ----------
    project : Path
        Project folder.
    paths : sequence of str
        Flags and small records, relative to it. One that is gone meanwhile is passed over.
    reason : str
        Why; kept beside them.
    lock : Lock
        The lock of the state, held; asked before every move.

    Returns
    -------
    folder : Path or None
        Where they lie now, under the same names, with `retired.json`: who, when, why, and which
        were to be moved, written before the first is. None where there was nothing to move.
    """
    if not paths:
        return None
    ordered = downstream_first(paths)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = project / RETIRED / f"{stamp}-{secrets.token_hex(3)}"
    told = {"at": now(), "by": who(), "reason": reason, "files": ordered}
    lock.check()
    with replacing(folder / "retired.json") as part:
        part.write_text(json.dumps(told, indent=1) + "\n")
    for path in ordered:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        lock.check()
        try:
            (project / path).rename(folder / path)
        except FileNotFoundError:
            continue  # Snakemake, about to make it anew, was faster.
    return folder
