"""Parts of the sample, as jobs name them by wildcards."""

from collections.abc import Iterable
from typing import Any, Protocol

from octflow.core.experiment import Illumination
from octflow.workflow.config import Config
from octflow.workflow.ready import Ready


class Wildcards(Protocol):
    """The wildcards of a job; which there are depends on the rule."""

    mosaic: str
    batch: str
    slice: str
    illumination: str
    share: str

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        ...


class Units:
    """What the wildcards of a job stand for.

    Methods that take `wildcards` are handed to rules as input or params functions; they return
    wildcard values and plain values, never paths of products.
    """

    def __init__(self, config: Config, ready: Ready) -> None:
        self.config, self.ready = config, ready

    @property
    def reference(self) -> str:
        """Name of the illumination that looks straight down."""
        return min(self.config.experiment.illuminations, key=lambda row: abs(row.tilt_deg)).name

    @property
    def illuminations(self) -> list[dict[str, Any]]:
        """The illumination table."""
        return [row.plain() for row in self.config.experiment.illuminations]

    def unit(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the part of the sample that a job works on, as its record names it."""
        ids = dict(wildcards.items())
        unit: dict[str, Any] = {"project": self.config.project.name}
        unit |= {k: int(ids[k]) for k in ("slice", "mosaic", "batch", "share") if k in ids}
        unit |= {k: ids[k] for k in ("illumination", "modality") if k in ids}
        if "mosaic" in unit:
            unit["slice"] = self.config.experiment.slice_of(unit["mosaic"])
            unit["illumination"] = self.illumination_of(wildcards)
        return unit

    def illumination(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the illumination of a mosaic, or of the name, as it holds for the slice."""
        return self.config.experiment.illumination_of(self._mosaic(wildcards)).plain()

    def illumination_of(self, wildcards: Wildcards) -> str:
        """Return the illumination of a mosaic."""
        return self.config.experiment.illumination_of(int(wildcards.mosaic)).name

    def slice_of(self, wildcards: Wildcards) -> str:
        """Return the slice of a mosaic."""
        return f"{self.config.experiment.slice_of(int(wildcards.mosaic)):03d}"

    def slice_number(self, wildcards: Wildcards) -> int:
        """Return the slice as a number."""
        return int(wildcards.slice)

    def share_number(self, wildcards: Wildcards) -> int:
        """Return the share as a number."""
        return int(wildcards.share)

    def mosaic_numbers(self, wildcards: Wildcards) -> list[int]:
        """Return the mosaics of a slice as numbers."""
        return self.config.experiment.mosaics_of(int(wildcards.slice))

    def mosaics_of(self, wildcards: Wildcards) -> list[str]:
        """Return the mosaics of a slice."""
        return [f"{mosaic:03d}" for mosaic in self.mosaic_numbers(wildcards)]

    def batches_of(self, wildcards: Wildcards) -> list[str]:
        """Return the batches of a mosaic, or of the template of an illumination."""
        batches = self.config.experiment.batches_of(self._mosaic(wildcards))
        return [f"{batch:03d}" for batch in batches]

    def template_of(self, wildcards: Wildcards) -> str:
        """Return the mosaic that gives an illumination its focus."""
        return f"{self.ready.template_of(wildcards.illumination):03d}"

    def template_mosaics(self, wildcards: Wildcards) -> list[str]:
        """Return the mosaics that give an illumination its coordinates, each for every batch."""
        return [f"{mosaic:03d}" for mosaic, _ in self._template_batches(wildcards)]

    def template_batches(self, wildcards: Wildcards) -> list[str]:
        """Return the batches of these mosaics, one for each."""
        return [f"{batch:03d}" for _, batch in self._template_batches(wildcards)]

    def _template_batches(self, wildcards: Wildcards) -> list[tuple[int, int]]:
        mosaics = self.ready.templates_of(wildcards.illumination)
        return [(m, b) for m in mosaics for b in self.config.experiment.batches_of(m)]

    def batches_behind(self, mosaic: int) -> list[tuple[int, int]]:
        """Return the batches (mosaic, batch) of a mosaic and of those its coordinates are from."""
        templates = self.ready.templates_of(self.config.experiment.illumination_of(mosaic).name)
        mosaics = sorted({mosaic, *templates})
        return [(m, b) for m in mosaics for b in self.config.experiment.batches_of(m)]

    def grid(self, wildcards: Wildcards) -> list[list[int]]:
        """Return [tile, grid x, grid y] of every tile of a mosaic."""
        return self._grid(int(wildcards.mosaic))

    def template_grids(self, wildcards: Wildcards) -> dict[int, list[list[int]]]:
        """Return likewise the grids of the mosaics that coordinates are found on."""
        return {m: self._grid(m) for m in self.ready.templates_of(wildcards.illumination)}

    def _grid(self, mosaic: int) -> list[list[int]]:
        grid = self.config.experiment.grid_of(mosaic)
        return [[tile, x, y] for tile, (x, y) in grid.items()]

    def inventory(self, wildcards: Wildcards) -> list[dict[str, Any]]:
        """Return the raw tiles of a batch; a change of them is a change of the job."""
        return self.ready.inventory(int(wildcards.mosaic), int(wildcards.batch))

    def _row(self, wildcards: Wildcards) -> Illumination:
        return self.config.experiment.illumination_of(int(wildcards.mosaic))

    def _mosaic(self, wildcards: Wildcards) -> int:
        if hasattr(wildcards, "mosaic"):
            return int(wildcards.mosaic)
        return self.ready.template_of(wildcards.illumination)
