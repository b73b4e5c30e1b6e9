"""What the rules may ask: settings, versions, wildcard values, targets."""

import importlib
import logging
from collections.abc import Callable, Container
from functools import cached_property
from pathlib import Path
from typing import Any

from octflow.core.errors import SettingsError
from octflow.core.layout import ARCHIVED
from octflow.core.record import Unit
from octflow.workflow import decisive
from octflow.workflow.alive import join_runs
from octflow.workflow.backends import located
from octflow.workflow.config import Config, read_config
from octflow.workflow.lanes import LANES
from octflow.workflow.needs import Needs
from octflow.workflow.reach import within_reach
from octflow.workflow.reading import reader_of, reader_of_batch
from octflow.workflow.ready import Ready
from octflow.workflow.remarks import remarks_of
from octflow.workflow.units import Wildcards

log = logging.getLogger("octflow")


class Session(Needs):
    """One configured project, as the rules see it: what decides the products of every job."""

    def __init__(self, config: Config, base: Path) -> None:
        reachable, self.left_out = within_reach(config)
        self.project = base / config.project.folder
        super().__init__(
            reachable, Ready(reachable, self.project, base / config.acquisition.folder)
        )
        self.pipeline = base
        self.alive: int | None = None
        # Inputs and params of the jobs of a batch must go by the same look at its lineage.
        self._readers: dict[tuple[int, int], str | None] = {}

    def settings(self, stage: str) -> dict[str, Any]:
        """Return the section of a stage as plain values."""
        plain: dict[str, Any] = self._section(stage).plain()
        return plain

    def _section(self, stage: str) -> Any:  # noqa: ANN401 - the settings of any stage
        return getattr(self.config, {"register": "register_"}.get(stage, stage))

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
    def convert_settings(self) -> dict[str, Any]:
        """What decides complex tiles."""
        return decisive.convert_settings(self.config, self.pipeline)

    @property
    def process_settings(self) -> dict[str, Any]:
        """What decides the products of tiles."""
        return decisive.process_settings(self.config, self.project, self.pipeline)

    def matlab_for(self, stage: str) -> Callable[..., dict[str, Any]]:
        """Return what tells how the backend of a stage is run: not compared, as `archive_along`."""
        python = self._section(stage).backend == "python"

        def matlab(wildcards: Wildcards, threads: int) -> dict[str, Any]:
            return {} if python else located(self.config.matlab, self.pipeline).plain()

        return matlab

    def coordinate_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what decides the coordinates of an illumination."""
        name = wildcards.illumination
        return decisive.coordinate_settings(self.config.stitch, self.project, name)

    @property
    def refine_settings(self) -> dict[str, Any]:
        """What decides how the coordinates of a mosaic are refined."""
        return decisive.refine_settings(self.config.stitch)

    @property
    def archive_settings(self) -> dict[str, Any]:
        """What decides the archive of a batch; who reads the tiles does not."""
        return self.config.archive.model_dump(mode="json", exclude={"enabled", "while_reading"})

    @property
    def volume_settings(self) -> dict[str, Any]:
        """What decides the volumes; how many jobs share the work does not."""
        return self.config.volume.model_dump(mode="json", exclude={"shares"})

    @property
    def register_settings(self) -> dict[str, Any]:
        """What decides the fibre axes of slices; what is made from volumes does not."""
        return decisive.register_settings(self.config, self.pipeline)

    @property
    def register_volumes_settings(self) -> dict[str, Any]:
        """What decides registered volumes."""
        return decisive.register_volumes_settings(self.config)

    @property
    def maps_depth_px(self) -> float:
        """Middle of the window of the maps, below the surface."""
        return self.config.process.enface_offset_px + self.config.process.enface_depth_px / 2

    @property
    def place_settings(self) -> dict[str, Any]:
        """What decides how a slice lies against one before."""
        return decisive.place_settings(self.config.stack)

    @property
    def stack_settings(self) -> dict[str, Any]:
        """What else decides the stack."""
        return decisive.stack_settings(self.config.stack, self.project)

    @property
    def upload_settings(self) -> dict[str, Any]:
        """What decides where products are sent; what else is sent, and how fast, does not."""
        return self.config.upload.model_dump(mode="json", include={"target", "names", "raw_name"})

    @property
    def described_settings(self) -> dict[str, Any]:
        """What decides likewise where volumes are sent, and the files that describe them."""
        upload = self.config.upload
        return self.upload_settings | (
            {"dataset": upload.dataset.plain()} if self.describes else {}
        )

    @property
    def dandiset_settings(self) -> dict[str, Any]:
        """What decides names of BIDS, whatever names uploads have."""
        upload = self.config.upload
        return {"names": "bids", "raw_name": upload.raw_name, "dataset": upload.dataset.plain()}

    def upload_validates(self, wildcards: Wildcards, threads: int) -> bool:
        """Say whether products are validated first; it changes nothing that is sent."""
        return self.describes and self.config.upload.validate_

    def upload_limits(self, wildcards: Wildcards, threads: int) -> dict[str, Any]:
        """Return how fast products may be sent: not compared, as `archive_along` says."""
        return self.config.upload.limits.plain()

    def upload_access(self, wildcards: Wildcards, threads: int) -> dict[str, Any]:
        """Return where the key of the archive is, likewise; the key itself goes nowhere."""
        return self.config.upload.access.plain()

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

    @staticmethod
    def local_rules(limits: Container[str]) -> list[str]:
        """Return the rules whose jobs stay on this host where the profile has auxiliary hosts.

        Parameters
        ----------
        limits : container of str
            Names of the resources that the profile limits.

        Examples
        --------
        >>> Session.local_rules({"auxiliary_hosts"})[:2], Session.local_rules({"tile_pool"})
        (['start_slice', 'start_mosaic'], [])
        """
        if "auxiliary_hosts" not in limits:
            return []
        return [rule for lane, rules in LANES.items() if lane != "register" for rule in rules]

    def _reader(self, wildcards: Wildcards) -> str | None:
        batch = int(wildcards.mosaic), int(wildcards.batch)
        if batch not in self._readers:
            unit = Unit.model_validate(self.unit(wildcards))
            self._readers[batch] = reader_of_batch(self.config, self.project, unit)
        return self._readers[batch]

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
