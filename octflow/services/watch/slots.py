"""Cores that the watchers of a host share: one kernel lock for each, held by who computes."""

import fcntl
import os
from pathlib import Path

from octflow.core.errors import DataError


def shared_folder() -> Path:
    """Return the folder of the locks of this user: the same for services and shells."""
    return Path(f"/tmp/octflow-{os.getuid()}/cores")


def take_slots(folder: Path, wanted: int, host_cores: int) -> list[int]:
    """Take as many cores as are free, up to a number.

    Parameters
    ----------
    folder : Path
        Folder of the locks; made if missing.
    wanted : int
        How many.
    host_cores : int
        How many there are for all.

    Returns
    -------
    descriptors : list of int
        Locked files. A core is free again when every process that has its descriptor has ended
        or closed it, however it ends.

    Raises
    ------
    DataError
        The folder belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise DataError(folder, found="a folder of another user", expected="one of one's own")
    taken: list[int] = []
    for number in range(1, host_cores + 1):
        if len(taken) == wanted:
            break
        descriptor = os.open(folder / f"{number:04d}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            taken.append(descriptor)
    return taken
