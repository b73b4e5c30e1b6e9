"""The hosts as seen from here: what they are asked by ssh, and which did not answer."""

import shlex
import subprocess
import sys
import time

from octflow.services.hosts.job import JOBS, Job


def run_there(
    job: Job, host: str, verb: str, *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a verb of this package on a host, for a job."""
    order = job.order
    words = [sys.executable, "-m", "octflow.services.hosts", verb, str(job.folder), host]
    # A login shell of any kind understands this much.
    there = f"cd {shlex.quote(order['pipeline'])} && exec {shlex.join(words)}"
    return subprocess.run(
        [*order["ssh"][host], there],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def avoid(host: str) -> None:
    """Note that a host did not answer."""
    (JOBS / f"avoid-{host}").write_text(str(time.time()))


def avoided_s(host: str) -> float:
    """Return when that was noted last, s; 0 where it never was."""
    path = JOBS / f"avoid-{host}"
    return float(path.read_text() or 0) if path.exists() else 0.0
