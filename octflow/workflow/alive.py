"""Which runs of a project are alive: so that the locks of a killed run do not stop the next.

Snakemake's own locks are files, and stay when a run is killed. Every run therefore also holds a
shared kernel lock, which dies with its process. Who gets that lock exclusively is alone, and may
take the files away.
"""

import fcntl
import os
from pathlib import Path


def join_runs(project: Path) -> int:
    """Enter the runs of a project; if no other is alive, remove the locks that dead ones left.

    Parameters
    ----------
    project : Path
        Project folder.

    Returns
    -------
    descriptor : int
        Holds the lock until it is closed or the process ends.
    """
    (project / ".snakemake").mkdir(parents=True, exist_ok=True)
    descriptor = os.open(project / ".snakemake" / "alive", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for stale in (project / ".snakemake" / "locks").glob("*.lock"):
            stale.unlink(missing_ok=True)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def started_by_hand(project: Path) -> bool:
    """Tell whether a Snakemake that holds locks is alive; the processes of a watcher hold none."""
    os.close(join_runs(project))  # Removes what killed runs left, if none is alive.
    return any((project / ".snakemake" / "locks").glob("*.lock"))
