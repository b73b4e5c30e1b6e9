"""Wait before a failed job is tried again: Snakemake itself tries again at once."""

import json
import logging
import time
from pathlib import Path

log = logging.getLogger("octflow")

_PASSING = {"transient", "resource"}
"""Failures that may pass by themselves: of a mount, of a full disk. Bad data and code do not."""


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


def _last_failure(folder: Path) -> str | None:
    """Return what sort of failure the last attempt ended with; None where it ended with none."""
    attempts = sorted(folder.glob("attempt-*.json"))
    error = json.loads(attempts[-1].read_bytes())["error"] if attempts else None
    return error["kind"] if error else None
