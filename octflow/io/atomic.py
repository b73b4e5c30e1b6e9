"""Write-then-rename: a product appears whole or not at all."""

import glob
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from octflow.core.errors import NO_ROOM


@contextmanager
def replacing(path: Path, *, resumable: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        File, or folder, to be made or replaced. Its parent folder is made if missing.
    resumable : callable, optional
        Tells whether a folder that a killed process left may be gone on with. It then becomes
        `part`: its old name is gone, so that it has one writer.

    Yields
    ------
    part : Path
        Name to write to, in the same folder so that the rename is atomic. It ends in the suffixes
        of `path`, which some writers take their format from. Removed when the block raises; what
        a killed process left is removed by the next that writes `path`.
    """
    part = part_of(path, resumable=resumable)
    try:
        yield part
        complete(part, path)
    except BaseException as error:
        if resumable is None or isinstance(error, Exception):
            remove(part)  # An interrupt is no failure: what is finished stays for the next run.
        name_file(error, path)
        raise


def part_of(path: Path, *, resumable: Callable[[Path], bool] | None = None) -> Path:
    """Return the temporary name of a file or folder, rid of what killed processes left.

    Parameters
    ----------
    path : Path
        Its parent folder is made if missing.
    resumable : callable, optional
        See `replacing`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    for left in path.parent.glob(f".part-*-{glob.escape(path.name)}"):
        # Of a killed writer. One that still runs, orphaned, then fails to rename: nothing is lost.
        if resumable is None or not resumable(left):
            remove(left)
        elif left != part:
            remove(part)
            left.replace(part)
    return part


def complete(part: Path, path: Path) -> None:
    """Flush what was written to a temporary name, and give it its own."""
    # What a link points to is not ours: it is not opened, least of all for writing.
    if part.is_file() and not part.is_symlink():
        _sync(part)
    if part.is_dir() and path.is_dir():
        _replace_folder(part, path)
    else:
        part.replace(path)


def _replace_folder(part: Path, path: Path) -> None:
    """Set the former one aside first: it takes long to remove, and half of it must have no name."""
    aside = path.with_name(f".part-0-{path.name}")
    remove(aside)
    path.replace(aside)
    part.replace(path)
    remove(aside)


def name_file(error: BaseException, path: Path) -> None:
    """Add the file to an error of a write that found no room, which does not say whereto."""
    if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
        error.filename = str(path)


def _sync(path: Path) -> None:
    """Flush to disk: after a power cut a renamed file must not be empty."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file, a folder with all in it, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
