"""Tiles that will never come: declared by a person, kept in the project."""

import json
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.layout import LOCK, MISSING, flag
from octflow.io.atomic import replacing
from octflow.io.lock import Lock
from octflow.io.records import read_record

Declared = dict[tuple[int, int], str]
_OF_A_PROJECT = {"state", "lineage", "watch", "pages", ".snakemake"}
"""What a project that has begun has at least one of, in its folder."""


def read_missing(project: Path) -> Declared:
    """Return the reason by (mosaic, tile) of every tile declared missing.

    Raises
    ------
    DataError
        The file is not what `declare_missing` writes.
    """
    path = project / MISSING
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text())
        return {(int(e["mosaic"]), int(e["tile"])): str(e["reason"]) for e in entries}
    except (ValueError, KeyError, TypeError) as error:
        expected = "a list of {mosaic, tile, reason}"
        raise DataError(path, found=repr(error), expected=expected) from error


def declare_missing(project: Path, mosaic: int, tiles: list[int], reason: str) -> None:
    """Add tiles to those declared missing.

    Raises
    ------
    DataError
        The folder is no project, or the mosaic, which has begun, has no such tile.
    """
    _check(project, mosaic, tiles)
    lock = Lock(project / LOCK)
    with lock.holding("declare tiles missing"):
        declared = read_missing(project) | {(mosaic, tile): reason for tile in tiles}
        entries = [{"mosaic": m, "tile": t, "reason": r} for (m, t), r in sorted(declared.items())]
        lock.check()
        with replacing(project / MISSING) as part:
            part.write_text(json.dumps(entries, indent=1) + "\n")


def _check(project: Path, mosaic: int, tiles: list[int]) -> None:
    """Refuse what nobody would look at: a project may be empty yet, but has nothing but its own."""
    there = {path.name for path in project.iterdir()} if project.is_dir() else set()
    if there and not there & _OF_A_PROJECT:
        raise DataError(project, found="nothing of ours", expected="the folder of a project")
    begun = project / flag("start_mosaic", mosaic=mosaic)
    if not begun.exists():
        return
    grid = [entry[0] for entry in read_record(begun).parameters.get("grid", ())]
    if grid and (unknown := sorted(set(tiles) - set(grid))):
        expected = f"tiles {min(grid)} to {max(grid)}"
        raise DataError(begun, found=f"no tile {unknown[0]} in mosaic {mosaic}", expected=expected)
