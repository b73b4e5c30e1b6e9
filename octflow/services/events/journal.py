"""An append-only file of JSON lines that survives a kill at any instant."""

import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError


class Journal:
    """Lines that are on disk when `append` returns.

    Parameters
    ----------
    path : Path
        File; made with its folder when the first line is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Return all lines; cut off a last one that a killed process left unfinished.

        Raises
        ------
        DataError
            A whole line is not JSON.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        try:
            return [json.loads(line) for line in content[:whole].splitlines()]
        except ValueError as error:
            raise DataError(self.path, found=str(error), expected="lines of JSON") from error

    def append(self, *lines: dict[str, Any]) -> None:
        """Add lines and wait until the disk has them."""
        if not lines:
            return
        # Its folder alone: one whose project is away must not be made anew under a mount point.
        self.path.parent.mkdir(exist_ok=True)
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                _write(file, text.encode())
            except OSError:
                file.truncate(before)  # Of a full disk: half a line would spoil the next.
                raise


def _write(file: FileIO, content: bytes) -> None:
    """Write all, where the system may take less at once, and wait for the disk."""
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    os.fsync(file.fileno())
