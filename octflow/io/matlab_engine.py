"""Run a job in a MATLAB that is started through MATLAB Engine for Python."""

import importlib
import io
import logging
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from octflow.core.backend import MatlabSettings
from octflow.core.errors import SettingsError
from octflow.io.matlab_watch import GRACE_S, LOOK_S, Ended, Voice, Watch

log = logging.getLogger(__name__)

_GONE = {"EngineError", "RejectedExecutionError"}
"""What the Engine raises where MATLAB itself has ended; errors of functions have another name."""
_RELEASE = re.compile(r"\bR20(\d\d)([ab])\b")


def run_engine(settings: MatlabSettings, job: Path, report: Path) -> Ended:
    """Run a job in a MATLAB of its own, started through its Engine."""
    try:
        module = importlib.import_module("matlab.engine")
    except Exception as error:  # what an Engine of another release raises is not documented
        wanted = _wanted_engine(shutil.which(settings.executable) or settings.executable)
        raise SettingsError(f"backend matlab-engine: found {error}, expected {wanted}") from error
    out, err = io.StringIO(), io.StringIO()
    voice = Voice("matlab-engine", lambda: out.getvalue() + err.getvalue())
    try:
        options = " ".join(("-nodesktop", *settings.options))
        starting = module.start_matlab(options, background=True)
        engine = starting.result(settings.timeout_s)
    except Exception as error:  # noqa: BLE001 - likewise; mostly a licence that was not to be had
        return voice.ended(f"MATLAB did not start: {error}", "transient")
    try:
        return _in_engine(
            engine, settings, job, voice, (out, err), Watch(report, settings.timeout_s)
        )
    finally:
        _quit(engine)


def _in_engine(
    engine: Any,  # noqa: ANN401 - a proxy that has all functions of MATLAB as methods
    settings: MatlabSettings,
    job: Path,
    voice: Voice,
    streams: tuple[io.StringIO, io.StringIO],
    watch: Watch,
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
            time.sleep(LOOK_S)
        running.result()
    except Exception as error:  # noqa: BLE001 - MATLAB's own errors, and the end of MATLAB itself
        kind = "resource" if type(error).__name__ in _GONE else None
        return voice.ended(f"{type(error).__name__}: {error}", kind)
    return voice.ended("exit status 0")


def _quit(engine: Any) -> None:  # noqa: ANN401
    """Ask MATLAB to end; one that hangs may not listen, and ends with this process."""

    def ask() -> None:
        try:
            engine.quit()
        except Exception as error:  # noqa: BLE001 - one that is gone already cannot be ended
            log.info("matlab-engine: %s", error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(GRACE_S)
    if asking.is_alive():
        log.warning("matlab-engine: MATLAB does not end, and is left to itself")


def _wanted_engine(executable: str) -> str:
    """Say which Engine goes with a MATLAB: every release has its own.

    Examples
    --------
    >>> print(_wanted_engine("/opt/R2025b/bin/matlab").split(";")[0])
    MATLAB Engine for Python of R2025b: python -m pip install 'matlabengine==25.2.*'
    """
    release = _RELEASE.search(str(Path(executable).resolve()))
    which = (
        "the release of the MATLAB that is installed, R2023b or later: python -m pip install "
        "'matlabengine==25.2.*' for R2025b, 'matlabengine==24.1.*' for R2024a"
    )
    if release and release[0] >= "R2023b":
        version = f"{release[1]}.{'ab'.index(release[2]) + 1}"
        which = f"{release[0]}: python -m pip install 'matlabengine=={version}.*'"
    return f"MATLAB Engine for Python of {which}; or backend: matlab, which needs none"
