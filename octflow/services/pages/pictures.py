"""Pictures of a project, and small copies of them for the pages."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from octflow.io.atomic import replacing

LONGEST_PX = 480
"""Longest side of a small copy."""

_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """A picture that a job has written."""

    path: str
    """Relative to the project folder."""
    small: str | None
    """Its small copy, relative to the folder of the pages; None where there is none yet."""

    @property
    def name(self) -> str:
        """Name of the file without folder and suffix."""
        return Path(self.path).stem


@dataclass
class Album:
    """Finds pictures and makes their small copies, which stay until the picture changes.

    Parameters
    ----------
    project : Path
        Project folder.
    pages : Path
        Folder of the pages.
    until_s : float
        Small copies are made until the monotonic clock shows this; others by the next look.
    """

    project: Path
    pages: Path
    until_s: float
    left: int = field(default=0, init=False)
    """Pictures there was no time for."""
    made: int = field(default=0, init=False)
    """Small copies that were made."""
    _listed: dict[str, list[tuple[str, int]]] = field(default_factory=dict, init=False)

    def of(self, folder: str, start: str = "") -> list[Picture]:
        """Return the pictures of a folder whose names begin so, by name.

        Parameters
        ----------
        folder : str
            Relative to the project folder.
        start : str
            Beginning of the names.
        """
        if folder not in self._listed:
            self._listed[folder] = sorted(_jpegs(self.project / folder))
        found = [(name, at_ns) for name, at_ns in self._listed[folder] if name.startswith(start)]
        return [self._picture(f"{folder}/{name}", at_ns) for name, at_ns in found]

    def _picture(self, path: str, at_ns: int) -> Picture:
        small = f"small/{path}"
        if _written_ns(self.pages / small) == at_ns or self._make(path, small, at_ns):
            return Picture(path, small)
        return Picture(path, None)

    def _make(self, path: str, small: str, at_ns: int) -> bool:
        """Make a small copy; say whether it is there."""
        if time.monotonic() > self.until_s:
            self.left += 1
            return False
        try:
            with Image.open(self.project / path) as picture:
                picture.draft("RGB", (LONGEST_PX, LONGEST_PX))
                picture.thumbnail((LONGEST_PX, LONGEST_PX))
                shown = picture.convert("RGB")
        except (OSError, SyntaxError, Image.DecompressionBombError):
            return False  # Gone again, damaged or of monstrous size: the page has a link to it.
        with replacing(self.pages / small) as part:
            shown.save(part, quality=_QUALITY)
            os.utime(part, ns=(at_ns, at_ns))
        self.made += 1
        return True


def _jpegs(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield names and times of change, in ns."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".jpg") and not entry.name.startswith("."):
                    yield entry.name, entry.stat().st_mtime_ns
    except OSError:
        return  # Nothing of it has been made.


def _written_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
