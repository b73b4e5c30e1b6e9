"""Section `ingest` of the configuration."""

from pydantic import Field

from octflow.core.settings import Settings


class IngestSettings(Settings):
    """How raw tiles are taken in."""

    stable_seconds: float = Field(30, ge=0)
    """A tile is complete when its file has not changed for so long."""
    archive: bool = True
    """Keep a compressed, checksummed copy of every raw tile in the project."""
    archive_level: int = Field(1, ge=0, le=3)
    """Compression level of the archive, 0 fast to 3 small."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail to be archived before the batch counts as failed."""
