"""Start GNU Octave, MATLAB, or MATLAB Engine on a job, watch it, and say how it ended."""

import importlib
import io
import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from octflow.core.backend import BackendName, MatlabSettings
from octflow.core.errors import SettingsError

log = logging.getLogger(__name__)

_LOOK_S = 0.1
"""Time between two looks at a program that runs."""
_GRACE_S = 5.0
"""Time from asking a program to end to killing it."""
_TOLD_TO_END = re.compile(r"caught signal (Terminated|Hangup)")
_LICENCE = re.compile(r"licen[cs]e (manager|checkout|server)|licensing error", re.IGNORECASE)
_NO_MEMORY = re.compile(r"out of memory|bad_alloc|MATLAB:nomem", re.IGNORECASE)
_OUT_OF_MEMORY = {signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV}
"""Signals that programs get, or give themselves, mostly for want of memory."""
_MEANT_NOTHING = "error: ignoring const execution_exception& while preparing to exit"
"""What Octave 7 says at its end, whatever it has done."""
_INSTALL = (
    "expected MATLAB Engine for Python, of the release of the MATLAB that is installed, such as "
    "python -m pip install 'matlabengine==25.2.*' for R2025b or 'matlabengine==24.1.*' for R2024a; "
    "or backend: matlab, which needs no Engine"
)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    how: str
    """In words, with the last line that it said."""
    kind: str
    """What sort of failure it is if it left work undone."""


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
        return _run_engine(settings, job, report)
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


def _said(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and line != _MEANT_NOTHING]


class _Watch:
    """Knows for how long nothing was finished."""

    def __init__(self, report: Path, timeout_s: float) -> None:
        self._report, self._timeout_s = report, timeout_s
        self._seen, self._since_s = 0, time.monotonic()

    @property
    def over(self) -> bool:
        """Whether it is too long."""
        seen = self._report.stat().st_mtime_ns if self._report.exists() else 0
        if seen != self._seen:
            self._seen, self._since_s = seen, time.monotonic()
        return time.monotonic() - self._since_s > self._timeout_s


class _Voice:
    """Passes what a program says on to the log, line by line, and keeps it."""

    def __init__(self, name: str, so_far: Callable[[], str]) -> None:
        self._name, self._so_far = name, so_far
        self._passed = 0

    def listen(self, *, to_the_end: bool = False) -> None:
        """Pass whole lines on that are new; at the end, also one that was not ended."""
        text = self._so_far()
        stop = len(text) if to_the_end else text.rfind("\n") + 1
        for line in _said(text[self._passed : stop]):
            log.info("%s: %s", self._name, line)
        self._passed = max(self._passed, stop)

    def ended(self, how: str, kind: str | None = None) -> Ended:
        """Say how it ended; what it said tells of licences and memory."""
        self.listen(to_the_end=True)
        text = self._so_far()
        lines = _said(text)
        if _LICENCE.search(text) or _TOLD_TO_END.search(text):
            kind = "transient"
        elif _NO_MEMORY.search(text):
            kind = "resource"
        said = f"; it said: {lines[-1]}" if lines else ""
        return Ended(f"{self._name}: {how}{said}", kind or "code")


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
    voice = _Voice(name, lambda: said.read_text(errors="replace"))
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
    watch = _Watch(report, timeout_s)
    try:
        while process.poll() is None:
            if watch.over:
                return voice.ended(f"nothing done for {timeout_s:g} s, killed", "transient")
            voice.listen()
            time.sleep(_LOOK_S)
    finally:
        _kill(process)
    return voice.ended(*_status(process.returncode))


def _kill(process: subprocess.Popen) -> None:
    """End a program and all that it started: first in peace."""
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
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


def _run_engine(settings: MatlabSettings, job: Path, report: Path) -> Ended:
    """Run a job in a MATLAB of its own, started through its Engine."""
    try:
        module = importlib.import_module("matlab.engine")
    except Exception as error:  # what an Engine of another release raises is not documented
        raise SettingsError(f"backend matlab-engine: found {error}, {_INSTALL}") from error
    out, err = io.StringIO(), io.StringIO()
    voice = _Voice("matlab-engine", lambda: out.getvalue() + err.getvalue())
    try:
        starting = module.start_matlab(" ".join(settings.options), background=True)
        engine = starting.result(settings.timeout_s)
    except Exception as error:  # noqa: BLE001 - likewise; mostly a licence that was not to be had
        return voice.ended(f"MATLAB did not start: {error}", "transient")
    try:
        return _in_engine(
            engine, settings, job, voice, (out, err), _Watch(report, settings.timeout_s)
        )
    finally:
        _quit(engine)


def _in_engine(
    engine: Any,  # noqa: ANN401 - a proxy that has all functions of MATLAB as methods
    settings: MatlabSettings,
    job: Path,
    voice: _Voice,
    streams: tuple[io.StringIO, io.StringIO],
    watch: _Watch,
) -> Ended:
    try:
        for path in (settings.folder, settings.functions):
            if path:
                engine.addpath(path, nargout=0)
        out, err = streams
        running = engine.run_job(str(job), nargout=0, background=True, stdout=out, stderr=err)
        while not running.done():
            if watch.over:
                running.cancel()
                return voice.ended(f"nothing done for {settings.timeout_s} s, stopped", "transient")
            voice.listen()
            time.sleep(_LOOK_S)
        running.result()
    except Exception as error:  # noqa: BLE001 - MATLAB's own errors, and the end of MATLAB itself
        kind = "transient" if _LICENCE.search(str(error)) else None
        return voice.ended(f"{type(error).__name__}: {error}", kind)
    return voice.ended("exit status 0")


def _quit(engine: Any) -> None:  # noqa: ANN401
    try:
        engine.quit()
    except Exception as error:  # noqa: BLE001 - one that is gone already cannot be ended
        log.info("matlab-engine: %s", error)
