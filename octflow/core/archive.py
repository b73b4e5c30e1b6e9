"""What a job must know that archives raw tiles while it reads them."""

from pydantic import Field

from octflow.core.settings import Settings


class ArchiveAlong(Settings):
    """Where the copies go of raw tiles that are read for another purpose.

    Examples
    --------
    >>> ArchiveAlong().folder is None
    True
    """

    folder: str | None = None
    """Folder of the copies; without one, none are made."""
    subject: str = "none"
    """BIDS subject label."""
    level: int = Field(1, ge=0, le=12)
    """Compression level."""
    version: int = 1
    """VERSION of the stage archive."""


NO_ARCHIVE = ArchiveAlong()
"""Nothing is archived along."""
