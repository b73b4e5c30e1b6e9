"""The archive copy of a raw tile: reproducible gzip that any tool opens."""

import hashlib
from pathlib import Path

from isal import igzip

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

_BLOCK = 1 << 22


def archive_file(source: Path, target: Path, *, level: int) -> str:
    """Compress a file and digest it in the same pass, then read the copy back.

    Parameters
    ----------
    source : Path
        Raw file; only read.
    target : Path
        Ends in .gz. Neither the name nor the time is kept in it: same content, same bytes.
    level : int
        0 (fast) to 3 (small).

    Returns
    -------
    id : str
        SHA-256 id of the raw bytes.

    Raises
    ------
    DataError
        What can be read back is not what was read.
    """
    digest = hashlib.sha256()
    with replacing(target) as part:
        with (
            source.open("rb") as file,
            part.open("wb") as raw,
            igzip.IGzipFile("", "wb", fileobj=raw, mtime=0, compresslevel=level) as packed,
        ):
            while block := file.read(_BLOCK):
                digest.update(block)
                packed.write(block)
        back = content_digest(part)
        if back != digest.hexdigest():
            raise DataError(target, found=f"sha256 {back}", expected=digest.hexdigest())
    return f"sha256:{digest.hexdigest()}"


def content_digest(path: Path) -> str:
    """Return the SHA-256 of what a gzip file unpacks to."""
    digest = hashlib.sha256()
    with igzip.open(path, "rb") as packed:
        while block := packed.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
