"""Wait before a failed job is tried again: Snakemake itself tries again at once."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from octflow.core.errors import OctflowError

log = logging.getLogger("octflow")

_PASSING = {"transient", "resource"}
"""Failures that may pass by themselves: of a mount, of a full disk. Bad data and code do not."""
_NOT_AGAIN = "not tried again: "


def back_off(folder: Path, wait_s: float) -> float:
    """Wait if the last attempt of a job failed by something that may pass by itself.

    Parameters
    ----------
    folder : Path
        Where the records of its attempts are kept.
    wait_s : float
        How long, s: the profile says it for every attempt.

    Returns
    -------
    waited_s : float
        How long it has waited.
    """
    if wait_s <= 0 or _last_failure(folder) not in _PASSING:
        return 0.0
    log.info("waiting %g s: the last attempt failed by something that may pass by itself", wait_s)
    time.sleep(wait_s)
    return wait_s


def refuse_defect(folder: Path, wait_s: float) -> None:
    """Stop a job of another backend than Python that failed by a defect in the same run.

    Snakemake tries every job again. A function of MATLAB with a defect would fail again, after a
    start that takes long; in a later run it may have been mended.

    Parameters
    ----------
    folder : Path
        Where the records of its attempts are kept.
    wait_s : float
        What `back_off` is told: above 0 in those attempts that are not the first of a run.

    Raises
    ------
    OctflowError
        With the message of the attempt that found the defect.
    """
    record = _last_record(folder) if wait_s > 0 else {}
    error = record.get("error") or {}
    backend = record.get("parameters", {}).get("settings", {}).get("backend", "python")
    if backend != "python" and error.get("kind") == "code":
        raise OctflowError(_NOT_AGAIN + error["message"].rpartition(_NOT_AGAIN)[2])


def _last_failure(folder: Path) -> str | None:
    """Return what sort of failure the last attempt ended with; None where it ended with none."""
    error = _last_record(folder).get("error")
    return error["kind"] if error else None


def _last_record(folder: Path) -> dict[str, Any]:
    attempts = sorted(folder.glob("attempt-*.json"))
    record: dict[str, Any] = json.loads(attempts[-1].read_bytes()) if attempts else {}
    return record
