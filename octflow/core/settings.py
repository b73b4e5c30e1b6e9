"""The base of every section of the configuration."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Frozen, without unknown keys; the docstring under a field is its description."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    def plain(self) -> dict[str, Any]:
        """Return the settings as builtin values: the only form Snakemake can compare.

        Keys are those of the configuration, so that a record can be read back.
        """
        return self.model_dump(mode="json", by_alias=True)


class Retries(Settings):
    """How often a tile is tried when its failure may pass by itself, as that of a network mount.

    Examples
    --------
    >>> Retries(attempts=4, first_wait_s=2).waits_s
    [2.0, 4.0, 8.0]
    """

    attempts: int = Field(3, ge=1, le=20)
    """Attempts in all. Bad data and a full disk are never tried again."""
    first_wait_s: float = Field(2.0, ge=0)
    """Wait after the first attempt; it doubles from one to the next."""

    @property
    def waits_s(self) -> list[float]:
        """Waits between the attempts."""
        return [self.first_wait_s * 2**n for n in range(self.attempts - 1)]
