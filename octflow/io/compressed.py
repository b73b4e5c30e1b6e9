"""Raw files as they lie in an archive: compressed with gzip, and read as if they were not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from isal import igzip, isal_zlib

from octflow.core.errors import DataError


class Reader(Protocol):
    """What a raw file can be asked for."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, all if no number is given."""
        ...

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill memory with the next bytes; return how many there were."""
        ...

    def tell(self) -> int:
        """Return how many bytes have been read."""
        ...


def is_compressed(path: Path) -> bool:
    """Tell by its name whether a file is compressed.

    Examples
    --------
    >>> is_compressed(Path("tile.nii.gz")), is_compressed(Path("tile.nii"))
    (True, False)
    """
    return path.suffix.lower() == ".gz"


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a file to be read once from its beginning; what is compressed is unpacked meanwhile.

    Raises
    ------
    DataError
        It is damaged.
    """
    if not is_compressed(path):
        with path.open("rb", buffering=0) as file:
            yield file
        return
    try:
        with igzip.open(path, "rb") as file:
            yield file
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(path, found=f"damaged gzip: {error}", expected="whole gzip") from error


def unpack(path: Path, folder: Path) -> Path:
    """Unpack a file into a folder, for programs that read none that is compressed.

    Parameters
    ----------
    path : Path
        Compressed; only read.
    folder : Path
        Any but its own.

    Returns
    -------
    unpacked : Path
        Under its name without .gz.

    Raises
    ------
    DataError
        It is damaged.
    """
    unpacked = folder / path.stem
    with reading(path) as source, unpacked.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return unpacked
