"""Uploads in a table, for a terminal."""

from collections.abc import Iterator, Sequence

from octflow.services.state_text import table
from octflow.services.uploads import State, Upload

_STATES: tuple[State, ...] = ("sent", "to send", "not made yet")


def lines_of(uploads: Sequence[Upload], *, files: bool = False) -> Iterator[str]:
    """Yield the lines that `octflow uploads` prints.

    Parameters
    ----------
    uploads : sequence of Upload
        All of a project.
    files : bool
        Name every file that is to be sent, too.
    """
    made = [[u.job, u.state, str(len(u.files)), size(u.bytes)] for u in uploads]
    yield from table(["upload", "state", "files", "size"], made)
    yield ""
    yield "; ".join(_sum(state, [u for u in uploads if u.state == state]) for state in _STATES)
    if files:
        yield ""
        lists = [u.files for u in uploads if u.state == "to send"]
        yield from table(["to send", "size"], [[f.path, size(f.bytes)] for fs in lists for f in fs])


def size(n_bytes: int) -> str:
    """Return a size as people read it.

    Examples
    --------
    >>> size(999), size(1500), size(2_340_000_000)
    ('999 B', '1.5 kB', '2.3 GB')
    """
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def _sum(state: State, uploads: Sequence[Upload]) -> str:
    count = f"{state}: {len(uploads)}"
    if state == "not made yet":
        return count
    n_files = sum(len(u.files) for u in uploads)
    return f"{count} ({n_files} files, {size(sum(u.bytes for u in uploads))})"
