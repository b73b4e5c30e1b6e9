"""What jobs need."""

from collections.abc import Iterable

from octflow.workflow import memory
from octflow.workflow.units import Wildcards
from octflow.workflow.wanted import Wanted


class Needs(Wanted):
    """Memory of the jobs of rules, in MB, from the sizes of what they work on."""

    def convert_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that reads tiles."""
        return memory.convert_mb(self._row(wildcards), threads)

    def process_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that processes tiles."""
        return memory.process_mb(self._row(wildcards), threads)

    def stitch_mb(self, wildcards: Wildcards) -> int:
        """Return the memory of a job that holds one map of a mosaic."""
        grid = self.config.experiment.grid_of(int(wildcards.mosaic))
        return memory.stitch_mb(self._row(wildcards), grid.values())

    def volume_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that fuses volumes, the same for all."""
        return memory.volume_mb(self.config.volume, threads)

    def register_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that holds the maps of a slice."""
        return memory.register_mb(self._sizes(self.mosaic_numbers(wildcards)), threads)

    def register_volumes_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that registers volumes, the same for all."""
        depth_px = self.config.volume.depth_px
        return memory.register_volumes_mb(self.config.register_.in_depth, depth_px, threads)

    def place_mb(self, wildcards: Wildcards) -> int:
        """Return the memory of a job that compares the maps of two slices."""
        mosaic = self.config.experiment.mosaic_of(int(wildcards.slice), self.reference)
        return memory.place_mb(*self._sizes([mosaic])[0])

    def stack_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of the job that stacks the slices."""
        sizes = self._sizes(int(mosaic) for mosaic in self.reference_mosaics)
        return memory.stack_mb(self.config.stack, sizes, threads)

    def _sizes(self, mosaics: Iterable[int]) -> memory.Mosaics:
        """Return the illumination of every mosaic and the places of its tiles in the grid."""
        experiment = self.config.experiment
        return [(experiment.illumination_of(m), experiment.grid_of(m).values()) for m in mosaics]
