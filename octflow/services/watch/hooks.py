"""Commands of the lab that run before every look, as those that mount volumes anew."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO

from octflow.services.watch.journal import Once
from octflow.workflow.lanes import WatchSettings

_STEP_S = 0.1
_LAST_BYTES = 300


class Hooks:
    """The commands of `watch.before_scan`.

    Parameters
    ----------
    settings : WatchSettings
        Which, and how long one may take.
    once : Once
        Where failures are told.
    stop : threading.Event
        Set when the watcher is to end: a command is then not waited for.
    """

    def __init__(self, settings: WatchSettings, once: Once, stop: threading.Event) -> None:
        self._settings, self._once, self._stop = settings, once, stop
        self._left: dict[tuple[str, ...], subprocess.Popen] = {}

    def run(self) -> None:
        """Run all, one after the other; one that fails is told and holds up nothing."""
        for words in self._settings.before_scan:
            name = f"before_scan: {' '.join(words)}"
            with tempfile.TemporaryFile() as said:
                self._once.tell(name, self._fault(words, said))

    def _fault(self, words: tuple[str, ...], said: IO[bytes]) -> str | None:
        """Run a command; return what was wrong with it, or None."""
        if (left := self._left.pop(words, None)) is not None and left.poll() is None:
            self._left[words] = left
            return "an earlier one cannot be killed; it is not started again"
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        except OSError as error:
            return f"found {error.strerror}, expected a program"
        if self._ends(process):
            status = process.returncode
            return f"exit status {status}{_last(said)}" if status else None
        self._kill(words, process)
        if self._stop.is_set():
            return None
        return f"no end after {self._settings.before_scan_timeout_s:g} s: killed"

    def _ends(self, process: subprocess.Popen) -> bool:
        """Wait for a command; tell whether it ended in time."""
        until_s = time.monotonic() + self._settings.before_scan_timeout_s
        while time.monotonic() < until_s and not self._stop.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STEP_S)
                return True
        return False

    def _kill(self, words: tuple[str, ...], process: subprocess.Popen) -> None:
        """Kill a command and what it has started; one that hangs in the kernel does not end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            self._left[words] = process


def _last(said: IO[bytes]) -> str:
    """Return the last line of what a command said, for the log."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _LAST_BYTES))
    lines = said.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
