"""What became of a job: by its files, and by asking its host where they are silent."""

import json
import subprocess
import time
from collections.abc import Callable

from octflow.services.hosts.job import Job
from octflow.services.hosts.there import avoid, run_there

_ASK_S = 20
"""Longest time that a question may take."""
_SETTLE_S = 1.0
"""A file server may show the end of a job a little later than its host."""


def status_of(job: Job, now_s: Callable[[], float] = time.time) -> str:
    """Say what became of a job.

    Parameters
    ----------
    job : Job
        A job that was sent.
    now_s : callable
        Time of day, s. Only compared with itself: clocks of other hosts may be off.

    Returns
    -------
    status : {"running", "success", "failed"}
    """
    host = job.host
    if host is None:
        return "failed"
    if job.status is not None:
        return _ended(job)
    order, silent_s = job.order, _silent_s(job, now_s())
    if silent_s < order["silent_s"]:
        return "running"
    if (answer := _ask(job, host)) == "runs":
        return "running"
    if answer == "gone":
        time.sleep(_SETTLE_S)
        return _ended(job)
    if silent_s < order["lost_s"]:
        return "running"
    # Should the host come back with the job alive, this is the first that it sees.
    job.cancel()
    avoid(host)
    return "failed"


def _ended(job: Job) -> str:
    return "success" if job.status == 0 else "failed"


def _silent_s(job: Job, now_s: float) -> float:
    """Return for how long the job has given no sign of life, s, as far as we have looked."""
    beat = job.read("beat")
    seen = json.loads(job.read("seen.json") or "{}")
    if seen.get("beat") != beat or not seen:
        seen = {"beat": beat, "since_s": now_s}
    job.write("seen.json", json.dumps(seen))
    silent_s: float = now_s - seen["since_s"]
    return silent_s


def _ask(job: Job, host: str) -> str:
    """Ask the host: runs, gone, or nothing where it does not answer."""
    try:
        return run_there(job, host, "ask", timeout_s=_ASK_S).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""
