"""One family of errors; each names the thing, what was found and what was expected."""

import errno
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where a file finds no room."""


class OctflowError(Exception):
    """Anything octflow itself reports; `kind` decides whether trying again can help."""

    kind = "code"


class DataError(OctflowError):
    """A file does not hold what it should; trying again does not help.

    Examples
    --------
    >>> print(DataError("tile.nii", found="12 bytes", expected="352 bytes"))
    tile.nii: found 12 bytes, expected 352 bytes
    """

    kind = "data"

    def __init__(self, path: Path | str, *, found: str, expected: str) -> None:
        super().__init__(f"{path}: found {found}, expected {expected}")
        self.path = str(path)
        self.found = found
        self.expected = expected


class SettingsError(OctflowError):
    """The configuration cannot be used as it is."""

    kind = "data"


class EstimateError(OctflowError):
    """The data do not determine what was to be estimated from them."""

    kind = "data"


class TileError(OctflowError):
    """A tile failed for another reason than its data; the batch fails with it.

    Examples
    --------
    >>> TileError("tile 3: found no space left on device", kind="resource").kind
    'resource'
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class TooManyFailuresError(OctflowError):
    """More tiles of a batch failed than the configuration accepts."""

    kind = "data"


class ArchiveError(OctflowError):
    """An archive cannot be reached, has no room, or does not hold what was sent.

    Examples
    --------
    >>> ArchiveError("/mnt/disk: found no folder, expected an archive", kind="transient").kind
    'transient'
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def kind_of(error: BaseException) -> str:
    """Say what sort of failure an exception is.

    Returns
    -------
    kind : {"data", "transient", "resource", "code"}
        "transient" may pass by itself (a network mount), "resource" needs more memory or disk.
    """
    if isinstance(error, OctflowError):
        return error.kind
    if isinstance(error, MemoryError):
        return "resource"
    if isinstance(error, OSError):
        return "resource" if error.errno in NO_ROOM else "transient"
    return "code"
