"""Section `ingest` of the configuration."""

from pydantic import Field

from octflow.core.settings import Retries, Settings


class IngestSettings(Settings):
    """How raw tiles are taken in."""

    stable_seconds: float = Field(30, ge=0)
    """A tile is complete when its file has not changed for so long."""
    archive: bool = True
    """Keep a compressed, checksummed copy of every raw tile in the project."""
    archive_level: int = Field(2, ge=0, le=12)
    """Compression level of the archive: 0 fastest, 1 fast to 12 small."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail to be archived before the batch counts as failed."""
    retries: Retries = Retries()
    """Attempts at a tile in one job, for failures that may pass by themselves."""
