"""Section `archive` of the configuration."""

from pydantic import Field

from octflow.core.settings import Retries, Settings


class ArchiveSettings(Settings):
    """How copies of the raw tiles are kept."""

    enabled: bool = True
    """Keep a compressed, checksummed copy of every raw tile in the project."""
    level: int = Field(1, ge=0, le=12)
    """Compression: 0 fastest, 1 fast, 2 to 12 smaller and slower."""
    while_reading: bool = True
    """Make the copy of a tile while it is read to be converted: its bytes are read once. Otherwise
    tiles are archived beside the conversion, which then is done sooner."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail to be archived before the batch counts as failed."""
    retries: Retries = Retries()
    """Attempts at a tile in one job, for failures that may pass by themselves."""
