"""What the watcher writes down: JSON lines, set aside as they grow, and a status file."""

import contextlib
import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from octflow.io.atomic import replacing
from octflow.workflow.lanes import WatchSettings


class _JsonLines(logging.Formatter):
    """One JSON object per line; what `extra` holds under `told` are its fields."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "message": record.getMessage()}
        return json.dumps({**line, **getattr(record, "told", {})})


class _JournalFile(RotatingFileHandler):
    """Lines in the file of that name: not in one whose folder was mounted away meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; where the folder is away, or the disk full, the terminal has it alone."""
        path = Path(self.baseFilename)
        if not path.parent.is_dir():
            return
        if not self._is_open(path):
            self._open_anew()
        super().emit(record)

    def _is_open(self, path: Path) -> bool:
        stream = self.stream
        try:
            return stream is not None and os.path.samestat(path.stat(), os.fstat(stream.fileno()))
        except OSError:
            return False

    def handleError(self, record: logging.LogRecord) -> None:
        """Pass over what could not be written."""

    def _open_anew(self) -> None:
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError):
            self.stream = self._open()


def open_journal(path: Path, settings: WatchSettings, *, as_json: bool = False) -> logging.Logger:
    """Return the logger of a watcher, which is that of the package: its companions log there too.

    Parameters
    ----------
    path : Path
        File of JSON lines.
    settings : WatchSettings
        When it is set aside.
    as_json : bool
        Say the same JSON lines on standard output, for programs that collect them; otherwise
        plain lines on standard error, for people.
    """
    log = logging.getLogger("octflow")
    log.setLevel(logging.INFO)
    log.propagate = False
    to_file = _JournalFile(
        path, maxBytes=settings.log_bytes, backupCount=settings.log_files, encoding="utf-8"
    )
    to_file.setFormatter(_JsonLines())
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    to_terminal = logging.StreamHandler(sys.stdout if as_json else sys.stderr)
    to_terminal.setFormatter(_JsonLines() if as_json else plain)
    log.handlers = [to_file, to_terminal]
    return log


class Once:
    """Warnings that would be said at every look: said when they begin, change and end."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, str] = {}

    def tell(self, name: str, fault: str | None) -> None:
        """Say what is wrong with something, unless it was said; None: nothing is.

        Parameters
        ----------
        name : str
            What it is about.
        fault : str or None
            What is wrong.
        """
        before = self._said.pop(name, None)
        if fault is not None:
            self._said[name] = fault
        if fault is not None and fault != before:
            self._log.warning("%s: %s", name, fault)
        elif fault is None and before is not None:
            self._log.info("%s: no longer so: %s", name, before)


def set_aside(path: Path, settings: WatchSettings) -> None:
    """Give a log that has grown too large another name; the oldest is removed.

    Nobody writes to it: Snakemake has the file open, so this is done between two runs.
    """
    if not path.exists() or path.stat().st_size < settings.log_bytes:
        return
    numbered = [path.with_name(f"{path.name}.{n}") for n in range(1, settings.log_files + 1)]
    for older, newer in zip(reversed(numbered), [*reversed(numbered[:-1]), path], strict=True):
        if newer.exists():
            newer.replace(older)


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Write the status file; readers see the old one or the new one."""
    with replacing(path) as part:
        part.write_text(json.dumps(status, indent=1) + "\n")


def read_status(path: Path) -> dict[str, Any]:
    """Read what the last watcher wrote; nothing where none has been."""
    try:
        status: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return status
