"""Section `upload` of the configuration."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings

Level = Literal["batch", "mosaic", "volume", "slice"]
"""What is uploaded: raw tiles of batches, maps of mosaics, their volumes, registered slices."""


class FolderTarget(Settings):
    """An archive that is a folder: of a mounted disk, or of a file server."""

    kind: Literal["folder"]
    """folder."""
    folder: str = Field(pattern=r"^/")
    """Where it is, from the root. It is never made: a disk that is not mounted is not to be
    mistaken for an empty archive."""
    mount: str | None = Field(None, pattern=r"^/")
    """Mount point that has to be mounted, where `folder` may be there without the disk; null:
    none."""


class UploadLimits(Settings):
    """How much of the network, or of the disk, an upload may take; no product depends on it."""

    megabytes_per_s: float | None = Field(None, gt=0)
    """Of one job, and as many jobs run at a time as the upload pool has places; null: no limit."""


class UploadSettings(Settings):
    """Where products are sent once they are made."""

    target: FolderTarget | None = None
    """The archive; null: nothing is uploaded."""
    levels: tuple[Level, ...] = ("batch", "mosaic", "volume", "slice")
    """What is uploaded. Batches are their archived raw tiles (`archive.enabled`)."""
    limits: UploadLimits = UploadLimits()
    """What an upload may take."""
