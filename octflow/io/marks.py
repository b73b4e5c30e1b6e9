"""What people decided about parts of the sample: notes, and holds that keep the workflow off."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from octflow.core.errors import DataError
from octflow.core.layout import MARKS
from octflow.core.part import Part
from octflow.io.atomic import replacing

Kind = Literal["hold", "release", "note"]
"""hold: the workflow leaves the part alone, until the release; note: for people."""


@dataclass(frozen=True)
class Mark:
    """One decision."""

    kind: Kind
    """What was decided."""
    part: Part
    """About what: the project, a slice, a mosaic or a batch."""
    text: str
    """Why, in the words of who decided."""
    by: str
    """User and host."""
    at: str
    """UTC, ISO 8601."""

    def __str__(self) -> str:
        """Say it to a person."""
        return f"{self.part}: {self.text} ({self.by}, {self.at[:16]} UTC)"


def read_marks(project: Path) -> list[Mark]:
    """Return all marks of a project, the oldest first.

    Raises
    ------
    DataError
        The file is not what `write_marks` writes.
    """
    path = project / MARKS
    try:
        entries = json.loads(path.read_bytes())
        return [_mark(**entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        expected = "a list of {kind, part, text, by, at}"
        raise DataError(path, found=repr(error), expected=expected) from error


def write_marks(project: Path, marks: list[Mark]) -> None:
    """Write all marks of a project; the lock of its state must be held."""
    with replacing(project / MARKS) as part:
        part.write_text(json.dumps([asdict(mark) for mark in marks], indent=1) + "\n")


def holds_of(marks: list[Mark]) -> dict[Part, Mark]:
    """Return the parts that are on hold, each with the decision.

    Examples
    --------
    >>> said = {"text": "blurred", "by": "ann", "at": "2026-01-01"}
    >>> first = [Mark("hold", Part(slice=1), **said), Mark("hold", Part(slice=2), **said)]
    >>> list(holds_of([*first, Mark("release", Part(slice=1), **said)]))
    [Part(slice=2, mosaic=None, batch=None, illumination=None)]
    """
    holds: dict[Part, Mark] = {}
    for mark in marks:
        if mark.kind == "hold":
            holds[mark.part] = mark
        elif mark.kind == "release":
            holds.pop(mark.part, None)
    return holds


def _mark(kind: Kind, part: dict[str, int | str | None], text: str, by: str, at: str) -> Mark:
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind}")
    return Mark(kind, Part(**part), text, by, at)  # type: ignore[arg-type]
