"""What all programs that run the functions of the folder `matlab` are watched with."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""Time between two looks at a program that runs."""
GRACE_S = 5.0
"""Time from asking a program to end to killing it."""
_TOLD_TO_END = re.compile(r"caught signal (Terminated|Hangup)")
_LICENCE = re.compile(r"licen[cs]e (manager|checkout|server)|licensing error", re.IGNORECASE)
_NO_MEMORY = re.compile(r"out of memory|bad_alloc|MATLAB:nomem", re.IGNORECASE)
_MEANT_NOTHING = "error: ignoring const execution_exception& while preparing to exit"
"""What Octave 7 says at its end, whatever it has done."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    how: str
    """In words, with the last line that it said."""
    kind: str
    """What sort of failure it is if it left work undone."""


class Watch:
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


class Voice:
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
        lines = _said(self._so_far())
        text = f"{self._so_far()}\n{how}"
        if _LICENCE.search(text) or _TOLD_TO_END.search(text):
            kind = "transient"
        elif _NO_MEMORY.search(text):
            kind = "resource"
        said = f"; it said: {lines[-1]}" if lines else ""
        return Ended(f"{self._name}: {how}{said}", kind or "code")


def _said(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and line != _MEANT_NOTHING]
