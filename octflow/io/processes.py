"""Processes as others can recognise them, although their numbers are used again."""

import getpass
import os
from pathlib import Path


def ticks_of(pid: int) -> int:
    """Return when a process started, in ticks since boot; 0 where there is none.

    One that has ended, and that its parent has not asked for its status, is none.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    state, *numbers = text.rpartition(")")[2].split()
    return 0 if state in {"Z", "X"} else int(numbers[18])


def user() -> str:
    """Return the name of the user; the number where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def boot_id() -> str:
    """Return what tells this boot of this host from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def place() -> str:
    """Return what processes have in common that see each other by the same numbers.

    Two containers on one host may count their processes differently.
    """
    return f"{boot_id()} {Path('/proc/self/ns/pid').readlink()}"
