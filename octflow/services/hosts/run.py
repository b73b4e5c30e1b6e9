"""On the host itself: take a job, run it in a slot, give signs of life, tell its end."""

import os
import signal
import subprocess
import sys
import time

from octflow.services.hosts.job import MARK, NODE, Job
from octflow.services.slots import shared_folder, take_slots

BEAT_S = 1.0
"""Time between two signs of life."""
_GRACE_S = 5.0
"""A cancelled job has so long to end by itself."""
_TELL_S = 600.0
"""A file system that cannot be written is tried for so long with the end of a job."""


def start(job: Job, host: str) -> int:
    """Take a job and leave a process behind that runs it; return the exit status."""
    if not job.take(host):
        return 1
    environment = os.environ | job.order["environment"] | {MARK: job.id}
    environment.setdefault(NODE, host)
    with (job.folder / "log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "octflow.services.hosts", "run", str(job.folder), host],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    return 0


def ask(job: Job) -> str:
    """Say whether a job runs here; what is left of one that nobody watches over is ended."""
    if job.runner in job.processes():
        return "runs"
    job.kill()
    return "gone"


def run(job: Job, host: str) -> int:
    """Run a job to its end; return its exit status."""
    job.write(f"taken-{host}", str(os.getpid()))
    order, beats, process = job.order, 0, None
    slots: list[int] = []
    while process is None or process.poll() is None:
        beats += 1
        _beat(job, beats)
        if job.cancelled:
            _end(job)
            break
        slots = slots or take_slots(shared_folder(f"host-{host}"), 1, order["slots"][host])
        if process is None and slots:
            process = subprocess.Popen([order["script"]], cwd=order["folder"])
        _wait(process)
    status = 1 if process is None else process.wait()
    job.kill()
    _tell(job, status)
    return status


def _wait(process: subprocess.Popen | None) -> None:
    if process is None:
        time.sleep(BEAT_S)
        return
    try:
        process.wait(BEAT_S)
    except subprocess.TimeoutExpired:
        return


def _beat(job: Job, beats: int) -> None:
    """Give a sign of life; a file system that hiccups costs a beat, not the job."""
    try:
        job.write("beat", str(beats))
    except OSError as error:
        print(f"octflow: {error}", file=sys.stderr)  # noqa: T201


def _end(job: Job) -> None:
    """End the processes of the job; what they had begun is no product."""
    job.signal(signal.SIGTERM)
    until = time.monotonic() + _GRACE_S
    while job.processes() and time.monotonic() < until:
        time.sleep(0.1)
    job.kill()


def _tell(job: Job, status: int) -> None:
    until = time.monotonic() + _TELL_S
    while True:
        try:
            job.write("ended", str(status))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(BEAT_S)
        else:
            return
