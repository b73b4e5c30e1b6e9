"""Change notification: a hint that a look is worth while. What is there, looks alone tell."""

import threading
from collections.abc import Callable
from pathlib import Path

from watchfiles import watch

LOCAL = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs"}
    | {"ntfs3", "overlay", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"}
)
"""File systems that tell of every change: nobody but this host writes to them."""

_CHECK_MS = 5000


def notified(folder: Path, notify: str, mounts: str | None = None) -> bool:
    r"""Tell whether changes of a folder are worth listening for.

    Parameters
    ----------
    folder : Path
        The folder; it need not be there yet.
    notify : {"auto", "always", "never"}
        What the configuration says; `auto` asks for the file system.
    mounts : str, optional
        Mounts, in the form of /proc/self/mountinfo, which is read by default.

    Examples
    --------
    >>> mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / /raw rw - nfs4 lab:/raw rw\n"
    >>> [notified(Path(folder), "auto", mounts) for folder in ("/rawest", "/raw", "/raw/I46")]
    [True, False, False]
    >>> notified(Path("/raw"), "always", mounts)
    True
    """
    if notify != "auto":
        return notify == "always"
    text = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    where = folder.resolve()
    kinds = {}
    for line in text.splitlines():
        place, kind = line.split(" ")[4], line.partition(" - ")[2].split(" ")[0]
        kinds[Path(place.replace("\\040", " "))] = kind  # A later mount hides an earlier one.
    found = next((kinds[path] for path in (where, *where.parents) if path in kinds), "")
    return found in LOCAL


def listening(folder: Path, changed: Callable[[], None]) -> Callable[[threading.Event], None]:
    """Return the work of a companion: say when something in a folder has changed.

    Only the folder itself is listened to: one place of the kernel's list per project. Where the
    list is full the companion fails, which is logged once, and looks come at their usual times.
    """

    def listen(stopped: threading.Event) -> None:
        while not stopped.is_set():
            before = _identity(folder)
            for changes in watch(
                folder,
                watch_filter=None,
                debounce=200,
                rust_timeout=_CHECK_MS,
                yield_on_timeout=True,
                stop_event=stopped,
                raise_interrupt=False,
                force_polling=False,
                recursive=False,
            ):
                if changes:
                    changed()
                if _identity(folder) != before:  # Mounted anew: the kernel tells of the old one.
                    break

    return listen


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
