"""What the rules may ask: settings, versions, wildcard values, targets."""

import importlib
import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from octflow.core.errors import SettingsError
from octflow.core.experiment import Illumination
from octflow.core.layout import ARCHIVED
from octflow.core.record import Unit
from octflow.stages.register.settings import ABOUT_VOLUMES
from octflow.stages.stack.settings import COMPARED
from octflow.workflow import decisive, memory
from octflow.workflow.alive import join_runs
from octflow.workflow.config import Config, read_config
from octflow.workflow.reach import within_reach
from octflow.workflow.reading import reader_of, reader_of_batch
from octflow.workflow.ready import Ready
from octflow.workflow.remarks import remarks_of

log = logging.getLogger("octflow")


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


class Session:
    """One configured project, as the rules see it.

    Methods that take `wildcards` are handed to rules as input or params functions; they return
    wildcard values and plain values, never paths of products.
    """

    def __init__(self, config: Config, base: Path) -> None:
        self.config, self.left_out = within_reach(config)
        self.project = base / config.project.folder
        self.ready = Ready(self.config, self.project, base / config.acquisition.folder)
        self.pipeline = base
        self.alive: int | None = None
        # Inputs and params of the jobs of a batch must go by the same look at its lineage.
        self._readers: dict[tuple[int, int], str | None] = {}

    def settings(self, stage: str) -> dict[str, Any]:
        """Return the section of a stage as plain values."""
        section = {"register": "register_"}.get(stage, stage)
        plain: dict[str, Any] = getattr(self.config, section).plain()
        return plain

    @property
    def process_settings(self) -> dict[str, Any]:
        """What decides the products of tiles."""
        return decisive.process_settings(self.config, self.project)

    def coordinate_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what decides the coordinates of an illumination."""
        name = wildcards.illumination
        return decisive.coordinate_settings(self.config.stitch, self.project, name)

    @property
    def refines(self) -> bool:
        """Whether every mosaic has coordinates of its own."""
        return self.config.stitch.refine

    @property
    def refine_settings(self) -> dict[str, Any]:
        """What decides how the coordinates of a mosaic are refined."""
        return decisive.refine_settings(self.config.stitch)

    @staticmethod
    def version(stage: str) -> int:
        """Return the VERSION of a stage, raised whenever its products change."""
        version: int = importlib.import_module(f"octflow.stages.{stage}").VERSION
        return version

    @cached_property
    def instrument(self) -> dict[str, Any]:
        """The microscope; its files as seen from the project folder."""
        return decisive.instrument(self.config.instrument, self.project, self.pipeline)

    @property
    def illuminations(self) -> list[dict[str, Any]]:
        """The illumination table."""
        return [row.plain() for row in self.config.experiment.illuminations]

    @property
    def reference(self) -> str:
        """Name of the illumination that looks straight down."""
        return min(self.config.experiment.illuminations, key=lambda row: abs(row.tilt_deg)).name

    @property
    def batches(self) -> dict[str, list[str]]:
        """Wildcards of all batches that can be made."""
        return {
            "mosaic": [f"{mosaic:03d}" for mosaic, _ in self.ready.batches],
            "batch": [f"{batch:03d}" for _, batch in self.ready.batches],
        }

    @property
    def mosaics(self) -> list[str]:
        """All mosaics that can be made."""
        return [f"{mosaic:03d}" for mosaic in self.ready.mosaics]

    @property
    def slices(self) -> list[str]:
        """All slices that can be made."""
        return [f"{slice_id:03d}" for slice_id in self.ready.slices]

    @property
    def registered(self) -> list[str]:
        """All slices whose fibre axes can be found: none where their maps are not stitched."""
        return self.slices if {"biref", "ori"} <= set(self.config.stitch.modalities) else []

    @property
    def stacked(self) -> list[str]:
        """All slices that are stacked: those asked for, of those that can be made."""
        asked = self.config.stack.slices
        return [name for name in self.slices if asked == "all" or int(name) in asked]

    @property
    def stacked_axes(self) -> list[str]:
        """Those of them that have fibre axes."""
        return [name for name in self.stacked if name in self.registered]

    @property
    def placed(self) -> list[str]:
        """Those that are compared with one before: all but the first, or none where none is."""
        stack = self.config.stack
        return self.stacked[1:] if stack.align or stack.equalise else []

    @property
    def volumes_registered(self) -> list[str]:
        """All slices whose volumes are registered: none where nobody asks for it."""
        section = self.config.register_
        return self.registered if section.volumes or section.inclination else []

    @property
    def register_settings(self) -> dict[str, Any]:
        """What decides the fibre axes of slices; what is made from volumes does not."""
        return self.config.register_.model_dump(mode="json", exclude=set(ABOUT_VOLUMES))

    @property
    def maps_depth_px(self) -> float:
        """Middle of the window of the maps, below the surface."""
        return self.config.process.enface_offset_px + self.config.process.enface_depth_px / 2

    @property
    def archived(self) -> dict[str, list[str]]:
        """Wildcards of the batches to be archived: all, or none where archiving is off."""
        return self.batches if self.config.archive.enabled else {"mosaic": [], "batch": []}

    @property
    def archive_settings(self) -> dict[str, Any]:
        """What decides the archive of a batch; who reads the tiles does not."""
        return self.config.archive.model_dump(mode="json", exclude={"enabled", "while_reading"})

    def archived_after(self, rule: str) -> Callable[[Wildcards], list[str]]:
        """Return what says for which batch the archive waits for the job of a rule: its own."""

        def batches(wildcards: Wildcards) -> list[str]:
            return [wildcards.batch] if self._reader(wildcards) == rule else []

        return batches

    def archive_along(self, rule: str) -> Callable[..., dict[str, Any]]:
        """Return what tells the jobs of a rule where to archive what they read, if anywhere.

        That depends on `threads` for Snakemake's sake: a param of such a function is not compared
        with what it was, so that no tile is converted again for how the archive is packed.
        """

        def along(wildcards: Wildcards, threads: int) -> dict[str, Any]:
            if not rule == reader_of(self.config) == self._reader(wildcards):
                return {}
            return {
                "folder": ARCHIVED.format(mosaic=int(wildcards.mosaic)),
                "subject": self.config.project.subject,
                "level": self.config.archive.level,
                "version": self.version("archive"),
            }

        return along

    def _reader(self, wildcards: Wildcards) -> str | None:
        batch = int(wildcards.mosaic), int(wildcards.batch)
        if batch not in self._readers:
            unit = Unit.model_validate(self.unit(wildcards))
            self._readers[batch] = reader_of_batch(self.config, self.project, unit)
        return self._readers[batch]

    @property
    def volume_modalities(self) -> list[str]:
        """Modalities stitched as volumes."""
        return list(self.config.volume.modalities)

    @property
    def volume_settings(self) -> dict[str, Any]:
        """What decides the volumes; how many jobs share the work does not."""
        return self.config.volume.model_dump(mode="json", exclude={"shares"})

    @property
    def volume_shares(self) -> list[str]:
        """Shares of every volume; none where one job makes it."""
        count = self.config.volume.shares
        return [f"{number:03d}" for number in range(1, count + 1)] if count > 1 else []

    def share_number(self, wildcards: Wildcards) -> int:
        """Return the share as a number."""
        return int(wildcards.share)

    def inventory(self, wildcards: Wildcards) -> list[dict[str, Any]]:
        """Return the raw tiles of a batch; a change of them is a change of the job."""
        return self.ready.inventory(int(wildcards.mosaic), int(wildcards.batch))

    def illumination(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the illumination of a mosaic, or of the name, as it holds for the slice."""
        return self.config.experiment.illumination_of(self._mosaic(wildcards)).plain()

    def convert_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that reads tiles."""
        return memory.convert_mb(self._row(wildcards), threads)

    def process_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that processes tiles."""
        return memory.process_mb(self._row(wildcards), threads)

    def volume_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that fuses volumes, the same for all."""
        return memory.volume_mb(self.config.volume, threads)

    def stack_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of the job that stacks the slices."""
        mosaics = [int(mosaic) for mosaic in self.reference_mosaics]
        experiment = self.config.experiment
        sizes = [(experiment.illumination_of(m), experiment.grid_of(m).values()) for m in mosaics]
        return memory.stack_mb(self.config.stack, sizes, threads)

    def register_volumes_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that registers volumes, the same for all."""
        depth_px = self.config.volume.depth_px
        return memory.register_volumes_mb(self.config.register_.in_depth, depth_px, threads)

    def stitch_mb(self, wildcards: Wildcards) -> int:
        """Return the memory of a job that holds one map of a mosaic."""
        grid = self.config.experiment.grid_of(int(wildcards.mosaic))
        return memory.stitch_mb(self._row(wildcards), grid.values())

    def place_mb(self, wildcards: Wildcards) -> int:
        """Return the memory of a job that compares the maps of two slices."""
        mosaic = self.config.experiment.mosaic_of(int(wildcards.slice), self.reference)
        row = self.config.experiment.illumination_of(mosaic)
        return memory.place_mb(row, self.config.experiment.grid_of(mosaic).values())

    def register_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that holds the maps of a slice."""
        experiment = self.config.experiment
        mosaics = [
            (experiment.illumination_of(mosaic), experiment.grid_of(mosaic).values())
            for mosaic in self.mosaic_numbers(wildcards)
        ]
        return memory.register_mb(mosaics, threads)

    def grid(self, wildcards: Wildcards) -> list[list[int]]:
        """Return [tile, grid x, grid y] of every tile of a mosaic."""
        return self._grid(int(wildcards.mosaic))

    def template_grids(self, wildcards: Wildcards) -> dict[int, list[list[int]]]:
        """Return likewise the grids of the mosaics that coordinates are found on."""
        return {m: self._grid(m) for m in self.ready.templates_of(wildcards.illumination)}

    def _grid(self, mosaic: int) -> list[list[int]]:
        grid = self.config.experiment.grid_of(mosaic)
        return [[tile, x, y] for tile, (x, y) in grid.items()]

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

    def slice_of(self, wildcards: Wildcards) -> str:
        """Return the slice of a mosaic."""
        return f"{self.config.experiment.slice_of(int(wildcards.mosaic)):03d}"

    def slice_number(self, wildcards: Wildcards) -> int:
        """Return the slice as a number."""
        return int(wildcards.slice)

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

    def illumination_of(self, wildcards: Wildcards) -> str:
        """Return the illumination of a mosaic."""
        return self.config.experiment.illumination_of(int(wildcards.mosaic)).name

    @property
    def reference_mosaics(self) -> list[str]:
        """The mosaics that are stacked: the reference illumination of every slice of the stack."""
        return self._reference_mosaics(self.stacked)

    def compared_mosaics(self, wildcards: Wildcards) -> list[str]:
        """Return the reference mosaics of a slice and of those before it is compared with."""
        before = [name for name in self.stacked if int(name) < int(wildcards.slice)]
        return self._reference_mosaics([*before[-COMPARED:], wildcards.slice])

    def _reference_mosaics(self, slices: list[str]) -> list[str]:
        mosaic_of = self.config.experiment.mosaic_of
        return [f"{mosaic_of(int(name), self.reference):03d}" for name in slices]

    @property
    def place_settings(self) -> dict[str, Any]:
        """What decides how a slice lies against one before."""
        return decisive.place_settings(self.config.stack)

    @property
    def stack_settings(self) -> dict[str, Any]:
        """What else decides the stack."""
        return decisive.stack_settings(self.config.stack, self.project)

    def _row(self, wildcards: Wildcards) -> Illumination:
        return self.config.experiment.illumination_of(int(wildcards.mosaic))

    def _mosaic(self, wildcards: Wildcards) -> int:
        if hasattr(wildcards, "mosaic"):
            return int(wildcards.mosaic)
        return self.ready.template_of(wildcards.illumination)

    def tell(self) -> None:
        """Tell the person at the terminal what waits and what failed."""
        for line in self.remarks():
            log.warning(line)

    def remarks(self) -> list[str]:
        """Say what is left out, what waits and what failed, one line each."""
        return [*(f"left out: {line}" for line in self.left_out), *remarks_of(self.ready)]


def open_session(values: dict[str, Any], base: str | Path) -> Session:
    """Open the project that a configuration describes.

    Parameters
    ----------
    values : dict
        What Snakemake read from the configuration files.
    base : path
        Folder of the Snakefile, where relative paths start.

    Raises
    ------
    SettingsError
        The configuration is wrong, or its project folder cannot be written.
    """
    session = Session(read_config(values, Path(base).absolute()), Path(base).absolute())
    try:
        session.alive = join_runs(session.project)
    except OSError as error:
        raise SettingsError(
            f"project.folder {session.project}: found {error.strerror}, "
            "expected a folder that can be made and written"
        ) from error
    return session
