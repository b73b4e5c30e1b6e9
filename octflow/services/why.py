"""Where a product comes from: the job that made it, from which inputs, and theirs in turn."""

import json
from dataclasses import dataclass
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.record import Product, Record
from octflow.io.records import read_record
from octflow.services.verify import flags_of
from octflow.workflow.records import lineage_folder


@dataclass(frozen=True)
class Origin:
    """A job, with the jobs whose records it read."""

    record: Record
    path: Path
    """File of the record, relative to the project folder."""
    files: tuple[Product, ...]
    """What it read besides records; where one tile is asked after, only what is of that tile."""
    made_from: tuple["Origin", ...]
    """Jobs before it, as they were when it read their records."""
    lost: tuple[Product, ...] = ()
    """Records it read that are neither in their place nor in the lineage."""


def project_of(path: Path) -> Path:
    """Return the project folder that a file lies in.

    Raises
    ------
    DataError
        No folder above it holds the lineage of a project.
    """
    found = next((folder for folder in path.parents if (folder / "lineage").is_dir()), None)
    if found is None:
        raise DataError(path, found="no project around it", expected="a folder with lineage/")
    return found


def origin_of(path: Path) -> Origin:
    """Find out how a product, or a flag, was made.

    Parameters
    ----------
    path : Path
        A product, a file inside a product that is a folder, a flag, or an attempt under lineage/.
        It need not be there any more.

    Raises
    ------
    DataError
        It lies in no project, or no record lists it.
    """
    path = path.parent.resolve() / path.name  # The file itself may be a link to a delivered one.
    project = project_of(path)
    reader = _Reader(project)
    relative = path.relative_to(project)
    if relative.parts[0] == "lineage" or relative.parent.name == "state":
        return reader.origin(relative, read_record(_existing(path)), None)
    flag, record, product = _made(project, path)
    return reader.origin(flag.relative_to(project), record, product.tile)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(path, found="no file", expected="a record")
    return path


def _made(project: Path, path: Path) -> tuple[Path, Record, Product]:
    """Find the newest flag that lists a path, or a folder that it lies in."""
    within = [p for p in (path, *path.parents) if p.is_relative_to(project) and p != project]
    wanted = {str(p) for p in within} | {str(p.relative_to(project)) for p in within}
    quoted = [json.dumps(name).encode() for name in wanted]
    found = []
    for flag in _flags_near(project, path):
        content = flag.read_bytes()
        if any(name in content for name in quoted):  # To parse them all would take far longer.
            record = read_record(flag)
            found += [(flag, record, p) for p in record.outputs if p.path in wanted]
    if not found:
        raise DataError(path, found="no record that lists it", expected="a product or a flag")
    return max(found, key=lambda one: one[1].ended_at)


def _flags_near(project: Path, path: Path) -> list[Path]:
    """Return the flags that may list a product: jobs write into the folder of their own level."""
    levels = {path.relative_to(project).parts[0], "state"}
    return [flag for flag in flags_of(project) if flag.relative_to(project).parts[0] in levels]


class _Reader:
    """Follow records to those they were made from, each read once."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.known: dict[tuple[str, int | None], Origin] = {}

    def origin(self, path: Path, record: Record, tile: int | None) -> Origin:
        """Return the job of a record; where a tile is given, with the files of that tile."""
        key = (record.record_id, tile)
        if key not in self.known:
            self.known[key] = self._origin(path, record, tile)
        return self.known[key]

    def _origin(self, path: Path, record: Record, tile: int | None) -> Origin:
        files = [p for p in record.inputs if p.role != "record" and _concerns(p, tile)]
        before, lost = [], []
        for read in (p for p in record.inputs if p.role == "record"):
            if (found := self._as_read(read)) is None:
                lost.append(read)
            else:
                before.append(self.origin(*found, tile))
        return Origin(record, path, tuple(files), tuple(before), tuple(lost))

    def _as_read(self, read: Product) -> tuple[Path, Record] | None:
        """Return a record as it was when it was read: in its place, or kept in the lineage."""
        path = Path(read.path)
        if not (self.project / path).exists():
            return None
        record = read_record(self.project / path)
        if record.record_id == read.id:
            return path, record
        kept = self.project / lineage_folder(record.rule, record.unit)
        for attempt in sorted(kept.glob("attempt-*.json"), reverse=True):
            if (older := read_record(attempt)).record_id == read.id:
                return attempt.relative_to(self.project), older
        return None


def _concerns(file: Product, tile: int | None) -> bool:
    return tile is None or file.tile in {None, tile}
