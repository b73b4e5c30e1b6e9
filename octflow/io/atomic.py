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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    for left in path.parent.glob(f".part-*-{glob.escape(path.name)}"):
        # Of a killed writer. One that still runs, orphaned, then fails to rename: nothing is lost.
        if resumable is None or not resumable(left):
            _remove(left)
        elif left != part:
            _remove(part)
            left.replace(part)
    try:
        yield part
        # What a link points to is not ours: it is not opened, least of all for writing.
        if part.is_file() and not part.is_symlink():
            _sync(part)
        elif part.is_dir() and path.is_dir():
            _remove(path)
        part.replace(path)
    except BaseException as error:
        if resumable is None or isinstance(error, Exception):
            _remove(part)  # An interrupt is no failure: what is finished stays for the next run.
        if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
            error.filename = str(path)  # A write that finds no room does not say whereto.
        raise


def _sync(path: Path) -> None:
    """Flush to disk: after a power cut a renamed file must not be empty."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
