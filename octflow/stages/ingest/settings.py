"""Section `ingest` of the configuration."""

from pydantic import Field

from octflow.core.settings import Settings


class IngestSettings(Settings):
    """How raw tiles are taken in."""

    stable_seconds: float = Field(30, ge=0)
    """A tile is complete when its file has not changed for so long; 0 asks no clock."""
