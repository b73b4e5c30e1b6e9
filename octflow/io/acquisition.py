"""What the microscope has written so far, by name, size and time; nothing is opened."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from octflow.core.names import RawName, parse_raw_name


@dataclass(frozen=True, slots=True)
class RawTile:
    """A raw file as the directory shows it; a plain path, because there are 100 000 of them."""

    name: RawName
    path: str
    size_bytes: int
    modified_s: float


def list_raw_tiles(folder: Path) -> Iterator[RawTile]:
    """List the raw tiles of an acquisition folder, by name; other files are passed over."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if name := parse_raw_name(entry.name):
                try:
                    stat = entry.stat()
                except OSError:  # Gone since it was listed, or a link to nothing or to itself.
                    continue
                yield RawTile(name, entry.path, stat.st_size, stat.st_mtime)
