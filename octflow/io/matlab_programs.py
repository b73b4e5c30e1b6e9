"""Start GNU Octave, MATLAB, or MATLAB Engine on a job, watch it, and say how it ended."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from octflow.core.backend import BackendName, MatlabSettings
from octflow.core.errors import SettingsError
from octflow.io.matlab_engine import run_engine
from octflow.io.matlab_watch import GRACE_S, LOOK_S, Ended, Voice, Watch

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = {signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV}
"""Signals that programs get, or give themselves, mostly for want of memory."""


def run_program(
    backend: BackendName, settings: MatlabSettings, job: Path, report: Path, *, threads: int
) -> Ended:
    """Run a job to its end; what the program says goes to the log as it comes.

    Parameters
    ----------
    backend : {"octave", "matlab", "matlab-engine"}
        Which program.
    settings : MatlabSettings
        Where it is, with which functions; absolute paths.
    job : Path
        Job file; the program runs in its folder.
    report : Path
        File that is replaced with every step of the work: as long as it is, all is well.
    threads : int
        What Octave may use; MATLAB is told by its options.

    Raises
    ------
    SettingsError
        There is no such program.
    """
    if backend == "matlab-engine":
        return run_engine(settings, job, report)
    statement = _statement(settings, job)
    if backend == "matlab":
        command = [settings.executable, *settings.options, "-batch", statement]
        return _run(command, "matlab.executable", settings.timeout_s, job, report)
    command = [settings.octave, "--no-gui", "-qf", "--eval", statement]
    limits = {"OMP_NUM_THREADS": str(threads)}
    return _run(command, "matlab.octave", settings.timeout_s, job, report, limits)


def _statement(settings: MatlabSettings, job: Path) -> str:
    """Return what a program evaluates; the lab's functions are found before ours."""
    paths = (settings.folder, settings.functions)
    added = "".join(f"addpath({_quoted(path)}); " for path in paths if path)
    return f"{added}run_job({_quoted(str(job))})"


def _quoted(text: str) -> str:
    """Write a text as both languages read it.

    Examples
    --------
    >>> print(_quoted("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def _run(
    command: list[str],
    key: str,
    timeout_s: float,
    job: Path,
    report: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Ended:
    said = job.with_suffix(".log")
    name = Path(command[0]).name
    voice = Voice(name, lambda: said.read_text(errors="replace"))
    log.info("running %s", " ".join(command))
    # A file, not a pipe: what the program leaves running may hold a pipe open for ever.
    with said.open("w") as out:
        try:
            process = subprocess.Popen(
                command,
                cwd=job.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise SettingsError(
                f"{key} {command[0]}: found {error.strerror}, expected a program, or backend: "
                "python"
            ) from error
    watch = Watch(report, timeout_s)
    try:
        while process.poll() is None:
            if watch.over:
                return voice.ended(f"nothing done for {timeout_s:g} s, killed", "transient")
            voice.listen()
            time.sleep(LOOK_S)
    finally:
        _kill(process)
    return voice.ended(*_status(process.returncode))


def _kill(process: subprocess.Popen) -> None:
    """End a program and all that it started: first in peace."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _status(status: int) -> tuple[str, str | None]:
    """Say what an exit status means; shells in between add 128 to the number of a signal.

    Examples
    --------
    >>> _status(3), _status(137), _status(-15)
    (('exit status 3', None), ('killed by SIGKILL', 'resource'), ('killed by SIGTERM', 'transient'))
    """
    number = -status if status < 0 else status - 128
    try:
        by = signal.Signals(number)
    except ValueError:
        return f"exit status {status}", None
    return f"killed by {by.name}", "resource" if by in _OUT_OF_MEMORY else "transient"
