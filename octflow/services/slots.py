"""Slots of a host, as its cores: one kernel lock for each, held by who computes."""

import fcntl
import os
from pathlib import Path

from octflow.core.errors import DataError


def shared_folder(name: str) -> Path:
    """Return the folder of some locks of this user: the same for services and shells."""
    return Path(f"/tmp/octflow-{os.getuid()}/{name}")


def take_slots(folder: Path, wanted: int, there: int) -> list[int]:
    """Take as many slots as are free, up to a number.

    Parameters
    ----------
    folder : Path
        Folder of the locks; made if missing, and the one around it.
    wanted : int
        How many.
    there : int
        How many there are for all.

    Returns
    -------
    descriptors : list of int
        Locked files. A slot is free again when every process that has its descriptor has ended
        or closed it, however it ends.

    Raises
    ------
    DataError
        One of the folders belongs to somebody else, who could give the locks other names.
    """
    for one in (folder.parent, folder):
        one.mkdir(exist_ok=True, mode=0o700)
        if one.lstat().st_uid != os.getuid():
            raise DataError(one, found="a folder of another user", expected="one of one's own")
    taken: list[int] = []
    for number in range(1, there + 1):
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
