"""An archive that is a folder: of a mounted disk, or of a file server."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from octflow.core.errors import ArchiveError, DataError, kind_of
from octflow.core.record import Asset
from octflow.io.atomic import complete, part_of, remove, replacing
from octflow.io.digest import fast_id, size_bytes
from octflow.io.remote.archive import Item, Sent
from octflow.io.remote.pace import Pace

_BLOCK = 1 << 22


class FolderArchive:
    """Copies that appear whole or not at all, read back from the disk before they get their names.

    Parameters
    ----------
    root : Path
        The folder, which has to be there.
    mount : Path, optional
        Mount point that has to be mounted.
    pace : Pace
        Bound for the bandwidth.
    """

    def __init__(self, root: Path, *, mount: Path | None, pace: Pace) -> None:
        self._root, self._mount, self._pace = root, mount, pace
        # Of what was read back just now: large files are not read once more to be listed.
        self._read_back: dict[str, str] = {}

    def digest_of(self, item: Item) -> str:
        """Return the digest that the copy of an item has: that of the original."""
        return item.id if item.id.startswith("xxh3:") else fast_id(item.source)

    def assets(self, paths: Sequence[str]) -> dict[str, Asset]:
        """Return what lies under paths; what was not copied just now is read."""
        self._check()
        return {path: self._asset(path) for path in paths if self._at(path).exists()}

    def send(self, items: Sequence[Item]) -> Sent:
        """Copy items; of a folder that a killed process left half copied only the rest."""
        self._check()
        sent = Sent()
        for item in items:
            with _named(self._at(item.path)):
                self._room(item)
                (self._folder if item.source.is_dir() else self._file)(item, sent)
        return sent

    def _at(self, path: str) -> Path:
        return self._root / path

    def _asset(self, path: str) -> Asset:
        place = self._at(path)
        with _named(place):
            digest = self._read_back.get(path) or fast_id(place)
            size = size_bytes(place)
        return Asset(id=path, path=path, digest=digest, bytes=size, url=place.as_uri())

    def _check(self) -> None:
        if self._mount is not None and not self._mount.is_mount():
            raise ArchiveError(
                f"{self._mount}: found no mounted disk, expected the one of the archive "
                f"{self._root}",
                kind="transient",
            )
        if not self._root.is_dir():
            found = "a file" if self._root.exists() else "no folder"
            raise ArchiveError(
                f"{self._root}: found {found}, expected the archive, which is never made here: "
                "is the disk mounted?",
                kind="transient",
            )

    def _room(self, item: Item) -> None:
        """Refuse what cannot fit before much of it is copied."""
        place = self._at(item.path)
        part = part_of(place, resumable=lambda left: left.is_dir())
        needed = item.bytes - (size_bytes(part) if part.exists() else 0)
        if (free := shutil.disk_usage(self._root).free) < needed:
            raise ArchiveError(
                f"{place}: found {free} bytes free, expected room for {needed}", kind="resource"
            )

    def _file(self, item: Item, sent: Sent) -> None:
        place = self._at(item.path)
        with replacing(place) as part:
            self._copy(item.source, part, sent)
            self._compare(item, part)
        _sync_folder(place.parent)

    def _folder(self, item: Item, sent: Sent) -> None:
        """Copy a folder under another name, file by file, and give it its own in the end."""
        place = self._at(item.path)
        part = part_of(place, resumable=lambda left: left.is_dir())
        part.mkdir(exist_ok=True)
        members = _files(item.source)
        for extra in _files(part) - members:
            remove(part / extra)
        for member in sorted(members):
            if not _same(item.source / member, part / member):
                with replacing(part / member) as small:
                    self._copy(item.source / member, small, sent)
        self._compare(item, part)
        complete(part, place)
        _sync_folder(place.parent)

    def _copy(self, source: Path, target: Path, sent: Sent) -> None:
        with source.open("rb", buffering=0) as reading, target.open("wb") as writing:
            while block := reading.read(_BLOCK):
                self._pace.pass_on(len(block))
                writing.write(block)
            writing.flush()
            os.fsync(writing.fileno())
            # What is read back has to come from the disk, not from memory.
            os.posix_fadvise(writing.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            sent.add(writing.tell())

    def _compare(self, item: Item, part: Path) -> None:
        expected, found = self.digest_of(item), fast_id(part)
        if found != expected:
            if (now := fast_id(item.source)) != expected:
                raise DataError(item.source, found=now, expected=f"{expected}, as recorded")
            raise ArchiveError(
                f"{self._at(item.path)}: found {found} when read back, expected {expected}",
                kind="transient",
            )
        self._read_back[item.path] = found


def _files(folder: Path) -> set[Path]:
    """Return the files of a folder, relative to it."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def _same(source: Path, copy: Path) -> bool:
    if not copy.is_file() or copy.stat().st_size != source.stat().st_size:
        return False
    return fast_id(copy) == fast_id(source)


def _sync_folder(folder: Path) -> None:
    """Flush the new name of a file to disk; some file servers know no such thing."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _named(place: Path) -> Iterator[None]:
    """Say of what the system refuses to which copy it belongs."""
    try:
        yield
    except OSError as error:
        where = error.filename or place
        said = (error.strerror or str(error)).lower()
        raise ArchiveError(
            f"{where}: found {said}, expected a copy", kind=kind_of(error)
        ) from error
