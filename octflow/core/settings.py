"""The base of every section of the configuration."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen, without unknown keys; the docstring under a field is its description."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    def plain(self) -> dict[str, Any]:
        """Return the settings as builtin values: the only form Snakemake can compare."""
        return self.model_dump(mode="json")
