"""What is to be made, of what can be."""

from collections.abc import Callable

from octflow.stages.stack.settings import COMPARED
from octflow.stages.upload.settings import Level
from octflow.workflow.units import Units, Wildcards


class Wanted(Units):
    """The units that the targets and the inputs of rules consist of."""

    def later(self, name: str) -> Callable[[Wildcards], list[str]]:
        """Return units of the project, by the name of their property, as an input function.

        Every job of a cluster is a Snakemake process that reads the rules: what has been acquired
        is looked at by those that are asked for it.
        """

        def units(wildcards: Wildcards) -> list[str]:
            found: list[str] = getattr(self, name)
            return found

        return units

    def zip_later(self, name: str) -> dict[str, Callable[[Wildcards], list[str]]]:
        """Return wildcards of batches likewise, each as an input function."""

        def values_of(part: str) -> Callable[[Wildcards], list[str]]:
            def values(wildcards: Wildcards) -> list[str]:
                found: list[str] = getattr(self, name)[part]
                return found

            return values

        return {part: values_of(part) for part in ("mosaic", "batch")}

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
    def volumes_registered(self) -> list[str]:
        """All slices whose volumes are registered: none where nobody asks for it."""
        section = self.config.register_
        return self.registered if section.volumes or section.inclination else []

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
    def reference_mosaics(self) -> list[str]:
        """The mosaics that are stacked: the reference illumination of every slice of the stack."""
        return self._reference_mosaics(self.stacked)

    def compared_mosaics(self, wildcards: Wildcards) -> list[str]:
        """Return the reference mosaics of a slice and of those before it is compared with."""
        return self.compared_with(wildcards.slice)

    def compared_with(self, slice_name: str) -> list[str]:
        """Return likewise the mosaics that a slice, by its name, is placed by."""
        before = [name for name in self.stacked if int(name) < int(slice_name)]
        return self._reference_mosaics([*before[-COMPARED:], slice_name])

    def _reference_mosaics(self, slices: list[str]) -> list[str]:
        mosaic_of = self.config.experiment.mosaic_of
        return [f"{mosaic_of(int(name), self.reference):03d}" for name in slices]

    @property
    def archived(self) -> dict[str, list[str]]:
        """Wildcards of the batches to be archived: all, or none where archiving is off."""
        return self.batches if self.config.archive.enabled else {"mosaic": [], "batch": []}

    @property
    def uploaded_batches(self) -> dict[str, list[str]]:
        """Wildcards of the batches whose archived tiles are uploaded."""
        return self.archived if self.uploads("batch") else {"mosaic": [], "batch": []}

    @property
    def uploaded_mosaics(self) -> list[str]:
        """The mosaics whose maps are uploaded."""
        return self.mosaics if self.uploads("mosaic") else []

    @property
    def uploaded_volumes(self) -> list[str]:
        """The mosaics whose volumes are uploaded."""
        return self.mosaics if self.uploads("volume") and self.volume_modalities else []

    @property
    def uploaded_slices(self) -> list[str]:
        """The slices that are uploaded."""
        return self.registered if self.uploads("slice") else []

    @property
    def begun(self) -> list[str]:
        """All slices of which a batch can be made."""
        slice_of = self.config.experiment.slice_of
        return [f"{s:03d}" for s in sorted({slice_of(mosaic) for mosaic, _ in self.ready.batches})]

    @property
    def describes(self) -> bool:
        """Whether products go to a dataset that has to be described."""
        return self.config.upload.target is not None and self.config.upload.names == "bids"

    @property
    def described(self) -> list[str]:
        """The slices that the dataset is described with: none where it is not."""
        return self.begun if self.describes else []

    def uploads(self, level: Level) -> bool:
        """Say whether products of a level are uploaded."""
        return self.config.upload.target is not None and level in self.config.upload.levels

    def with_volumes(self, wildcards: Wildcards) -> list[str]:
        """Return a slice if its volumes are registered, too."""
        return [name for name in self.volumes_registered if name == wildcards.slice]

    @property
    def volume_modalities(self) -> list[str]:
        """Modalities stitched as volumes."""
        return list(self.config.volume.modalities)

    @property
    def volume_shares(self) -> list[str]:
        """Shares of every volume; none where one job makes it."""
        count = self.config.volume.shares
        return [f"{number:03d}" for number in range(1, count + 1)] if count > 1 else []

    @property
    def refines(self) -> bool:
        """Whether every mosaic has coordinates of its own."""
        return self.config.stitch.refine
