"""What every archive can be asked for, and how its answers are judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from octflow.core.errors import ArchiveError
from octflow.core.record import Asset


@dataclass(frozen=True)
class Item:
    """A product to be sent."""

    source: Path
    """File or folder."""
    path: str
    """Where it goes in the archive."""
    id: str
    """Digest of its content, as its record has it."""
    bytes: int
    """Size."""


@dataclass
class Sent:
    """What an archive was given now; what it held already is no part of it."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count one more file."""
        self.files += 1
        self.bytes += size


class Archive(Protocol):
    """A place that keeps assets under paths, and says which digest each has."""

    def digest_of(self, item: Item) -> str:
        """Return the digest by which this archive would name the content of an item.

        Raises
        ------
        DataError
            The content is not what the record of the item says.
        """
        ...

    def assets(self, paths: Sequence[str]) -> dict[str, Asset]:
        """Return what is there under paths, with the digests of what is there."""
        ...

    def send(self, items: Sequence[Item]) -> Sent:
        """Put items in their places; of one that is there in part only the rest is sent.

        Raises
        ------
        ArchiveError
            The archive cannot be reached, has no room, or refuses.
        DataError
            The content of an item is not what its record says.
        """
        ...


def upload(archive: Archive, items: Sequence[Item]) -> tuple[list[Asset], Sent]:
    """Send what is not there, then hold what is there against what should be.

    Returns
    -------
    assets : list of Asset
        One of every item, in their order; each has the digest of its item.
    sent : Sent
        What had to be sent for it.

    Raises
    ------
    ArchiveError
        Something is not there, or is there with another content, after it was sent.
    """
    there = archive.assets([item.path for item in items])
    lacking = [item for item in items if not _holds(archive, there, item)]
    sent = Sent()
    if lacking:
        sent = archive.send(lacking)
        there |= archive.assets([item.path for item in lacking])
    for item in lacking:
        if not _holds(archive, there, item):
            found = there[item.path].digest if item.path in there else "nothing"
            raise ArchiveError(
                f"{item.path} in the archive: found {found}, expected {archive.digest_of(item)}",
                kind="transient",
            )
    return [there[item.path] for item in items], sent


def _holds(archive: Archive, there: dict[str, Asset], item: Item) -> bool:
    return item.path in there and there[item.path].digest == archive.digest_of(item)
