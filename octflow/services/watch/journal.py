"""What the watcher writes down: JSON lines, set aside as they grow, and a status file."""

import json
import logging
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


def open_journal(path: Path, settings: WatchSettings) -> logging.Logger:
    """Return the logger of a watcher: JSON lines in a file, plain lines on the terminal.

    It is that of the package: what companions say of themselves belongs in the same log.
    """
    log = logging.getLogger("octflow")
    log.setLevel(logging.INFO)
    log.propagate = False
    to_file = RotatingFileHandler(
        path, maxBytes=settings.log_bytes, backupCount=settings.log_files, encoding="utf-8"
    )
    to_file.setFormatter(_JsonLines())
    to_terminal = logging.StreamHandler()
    to_terminal.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers = [to_file, to_terminal]
    return log


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
    except FileNotFoundError:
        return {}
    return status
