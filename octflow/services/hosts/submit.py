"""Send a job to the host with most free slots; the next one if that does not answer."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from octflow.core.errors import OctflowError
from octflow.services.hosts.job import JOBS, Job
from octflow.services.hosts.settings import Host, Hosts
from octflow.services.hosts.status import status_of
from octflow.services.hosts.there import avoid, avoided_s, run_there
from octflow.workflow.config import PIPELINE

_PASSED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ")
_PASSED_STARTS = ("OMP_", "OPENBLAS_", "MKL_", "NUMBA_")
"""Variables a job needs. No others: the environment may hold secrets, and this goes to a file."""
_START_S = 60
"""Longest time that starting a job may take."""
_LOOK_S = 0.5
"""Time between two looks at a job that is to end."""
_PROPERTIES = "# properties = "
_KEPT_S = 7 * 24 * 3600
"""Folders of jobs that have ended are kept for so long, for their logs."""


class UnreachableError(OctflowError):
    """No host took the job; trying again later can help."""

    kind = "transient"


def submit(script: Path, hosts: Hosts) -> str:
    """Send a job to a host.

    Parameters
    ----------
    script : Path
        What is to be run; on the shared file system.
    hosts : Hosts
        Where it may run.

    Returns
    -------
    id : str
        By which `status_of` knows it: that of a job that is there already, where a Snakemake that
        was killed has left one that does the same.

    Raises
    ------
    UnreachableError
        No host answers.
    """
    JOBS.mkdir(parents=True, exist_ok=True)
    _clean()
    work = _work_of(script)
    if (same := _take_over(work)) is not None:
        return same.id
    job = Job(Path(tempfile.mkdtemp(prefix="job-", dir=JOBS.absolute())))
    job.write("job.json", json.dumps({"work": work, **_order(script, hosts)}))
    said = [_send(job, host) for host in _by_room(hosts)]
    if job.host is None:
        shutil.rmtree(job.folder, ignore_errors=True)  # Nobody would ever ask for it.
        raise UnreachableError(f"no auxiliary host takes a job: {'; '.join(filter(None, said))}")
    return job.id


def _order(script: Path, hosts: Hosts) -> dict[str, Any]:
    passed = {k: v for k, v in os.environ.items() if k in _PASSED or k.startswith(_PASSED_STARTS)}
    return {
        "script": str(script.absolute()),
        "folder": str(Path.cwd()),
        "environment": passed,
        "pipeline": str(PIPELINE),
        "slots": {host.name: host.slots for host in hosts.hosts},
        "ssh": {host.name: host.ssh for host in hosts.hosts},
        "silent_s": hosts.silent_s,
        "lost_s": hosts.lost_s,
    }


def _work_of(script: Path) -> dict[str, Any] | None:
    """Return what decides the products of a job, from the first lines of Snakemake's script."""
    for line in script.read_text().splitlines()[:5]:
        if line.startswith(_PROPERTIES):
            properties = json.loads(line.removeprefix(_PROPERTIES))
            return {key: properties.get(key) for key in ("rule", "input", "output", "params")}
    return None


def _take_over(work: dict[str, Any] | None) -> Job | None:
    """Find a job that does the same; one that writes the same from other things is ended first."""
    for job in _unfinished():
        found = job.order["work"]
        if not work or not found or found["output"] != work["output"]:
            continue
        if found == work:
            return job
        job.cancel()
        while status_of(job) == "running":
            time.sleep(_LOOK_S)
    return None


def _unfinished() -> list[Job]:
    """Return the jobs that a host has taken, and that have neither ended nor been given up."""
    jobs = [Job(path) for path in JOBS.absolute().glob("job-*")]
    return [job for job in jobs if job.host and job.status is None and not job.cancelled]


def _by_room(hosts: Hosts) -> list[Host]:
    """Sort hosts by their free slots, as far as this project knows; avoided ones go last."""
    busy = Counter(job.host for job in _unfinished())

    def place(host: Host) -> tuple[bool, int]:
        return _avoided(host, hosts.avoided_s), busy[host.name] - host.slots

    return sorted(hosts.hosts, key=place)


def _send(job: Job, host: Host) -> str:
    """Let a host take the job, unless one has; say why it did not."""
    if job.host is not None:
        return ""
    job.offer(host.name)
    try:
        done = run_there(job, host.name, "start", timeout_s=_START_S)
        found = done.stderr.strip() or f"ssh ended with {done.returncode}"
    except subprocess.TimeoutExpired:
        found = f"no answer within {_START_S} s"
    # The connection may have broken after the host took the job: whoever renames first has it.
    if not job.withdraw(host.name):
        return ""
    avoid(host.name)
    print(f"octflow: {host.name}: {found}; trying the next host", file=sys.stderr)  # noqa: T201
    return f"{host.name}: {found}"


def _avoided(host: Host, seconds: float) -> bool:
    return time.time() - avoided_s(host.name) < seconds


def _clean() -> None:
    """Remove folders of jobs that ended, or were given up, long ago."""
    for end in ("ended", "cancel"):
        for path in JOBS.glob(f"job-*/{end}"):
            if time.time() - path.stat().st_mtime > _KEPT_S:
                shutil.rmtree(path.parent, ignore_errors=True)
