"""The jobs that a project is expected to hold: what percentages are percentages of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from octflow.core.layout import flag
from octflow.core.record import Unit
from octflow.workflow.records import lineage_folder
from octflow.workflow.session import Session


@dataclass(frozen=True)
class Job:
    """One job of a rule, whether it has run or not."""

    rule: str
    unit: Unit

    @cached_property
    def flag(self) -> str:
        """Path of its flag, relative to the project folder."""
        ids = self.unit.model_dump(exclude_none=True, exclude={"project"})
        return str(flag(self.rule, **ids))

    @property
    def lineage(self) -> Path:
        """Folder of its attempts, relative to the project folder."""
        return lineage_folder(self.rule, self.unit)

    @property
    def name(self) -> str:
        """The job in words.

        Examples
        --------
        >>> Job("process_batch", Unit(project="p", slice=1, mosaic=2, batch=3)).name
        'process_batch mosaic 2 batch 3'
        """
        ids = self.unit.model_dump(exclude_none=True, exclude={"project"})
        if "mosaic" in ids:
            del ids["slice"], ids["mosaic"]
            ids.pop("illumination", None)
            ids = {"mosaic": self.unit.mosaic, **ids}
        return " ".join([self.rule, *(f"{level} {number}" for level, number in ids.items())])


class Expected:
    """The jobs of a project by the parts of the sample, as the configuration asks for them.

    Parameters
    ----------
    session : Session
        The project.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.config = session, session.config
        self.experiment = session.config.experiment

    @cached_property
    def slices(self) -> list[int]:
        """All slices of `project.slices`, and those that have begun to arrive."""
        begun = {self.experiment.slice_of(m) for m in self.session.ready.mosaics_seen}
        return sorted(begun | set(range(1, (self.config.project.slices or 0) + 1)))

    @cached_property
    def stacked(self) -> list[int]:
        """The slices that are stacked."""
        asked = self.config.stack.slices
        return [s for s in self.slices if asked == "all" or s in asked]

    def of_project(self) -> Iterator[Job]:
        """Yield the jobs that are not of one slice."""
        rules = ["find_tilemap", *["find_focus"] * bool(self.session.volume_modalities)]
        for row in self.experiment.illuminations:
            for rule in rules:
                yield self._job(rule, illumination=row.name)
        yield self._job("stack_slices")
        if self.session.describes:
            yield self._job("upload_dataset")

    def of_slice(self, slice_id: int) -> Iterator[Job]:
        """Yield the jobs of a slice that are not of one mosaic."""
        section, stack = self.config.register_, self.config.stack
        rules = ["start_slice"]
        if {"biref", "ori"} <= set(self.config.stitch.modalities):
            rules.append("register_slice")
            rules += ["register_volumes"] if section.volumes or section.inclination else []
            rules += ["upload_slice"] * self.session.uploads("slice")
        if slice_id in self.stacked[1:] and (stack.align or stack.equalise):
            rules.append("place_slice")
        return (self._job(rule, slice=slice_id) for rule in rules)

    def of_mosaic(self, mosaic: int) -> Iterator[Job]:
        """Yield the jobs of a mosaic that are not of one batch."""
        unit = self._of(mosaic)
        yield self._job("start_mosaic", **unit)
        if self.session.refines:
            yield self._job("refine_tilemap", **unit)
        yield self._job("stitch_enface", **unit)
        for modality in self.session.volume_modalities:
            for share in self.session.volume_shares:
                one = {**unit, "modality": modality, "share": int(share)}
                yield self._job("stitch_share", **one)
            yield self._job("stitch_volume", **unit, modality=modality)
        yield self._job("join_volumes", **unit)
        if self.session.uploads("mosaic"):
            yield self._job("upload_mosaic", **unit)
        if self.session.uploads("volume") and self.session.volume_modalities:
            yield self._job("upload_volume", **unit)

    def of_batch(self, mosaic: int, batch: int) -> Iterator[Job]:
        """Yield the jobs of a batch."""
        rules = ["start_batch", "convert_batch", "process_batch"]
        if self.config.archive.enabled:
            rules += ["archive_batch", *["upload_batch"] * self.session.uploads("batch")]
        unit = self._of(mosaic)
        return (self._job(rule, **unit, batch=batch) for rule in rules)

    def _of(self, mosaic: int) -> dict[str, Any]:
        name = self.experiment.illumination_of(mosaic).name
        return {"slice": self.experiment.slice_of(mosaic), "mosaic": mosaic, "illumination": name}

    def _job(self, rule: str, **ids: Any) -> Job:  # noqa: ANN401 - ids are numbers and names
        return Job(rule, Unit(project=self.config.project.name, **ids))
