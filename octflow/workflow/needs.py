"""What jobs need, and which of them goes first."""

import math
from collections.abc import Iterable

from octflow.workflow import duration, memory
from octflow.workflow.lanes import LANES
from octflow.workflow.units import Wildcards
from octflow.workflow.wanted import Wanted

_PER_POOL = 10_000
"""Mosaics that a pool tells apart in its priorities; later ones are equal."""


class Needs(Wanted):
    """Memory of jobs in MB, and limits of their run time, from the sizes of what they work on."""

    def convert_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that reads tiles."""
        return memory.convert_mb(self._row(wildcards), threads, self.config.convert.backend)

    def process_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that processes tiles."""
        return memory.process_mb(self._row(wildcards), threads, self.config.process.backend)

    def stitch_mb(self, wildcards: Wildcards) -> int:
        """Return the memory of a job that holds one map of a mosaic."""
        grid = self.config.experiment.grid_of(int(wildcards.mosaic))
        return memory.stitch_mb(self._row(wildcards), grid.values())

    def volume_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that fuses volumes, the same for all."""
        return memory.volume_mb(self.config.volume, threads)

    def register_mb(self, wildcards: Wildcards, threads: int) -> int:
        """Return the memory of a job that holds the maps of a slice."""
        mosaics = self._sizes(self.mosaic_numbers(wildcards))
        return memory.register_mb(mosaics, threads, self.config.register_.backend)

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

    def tiles_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the run time of a job that reads the tiles of a batch, at most."""
        mosaic = int(wildcards.mosaic)
        n_tiles = len(self.config.experiment.tiles_of(mosaic, int(wildcards.batch)))
        elsewhere = {self.config.convert.backend, self.config.process.backend} != {"python"}
        return duration.tiles_min(self._row(wildcards), n_tiles, attempt, elsewhere=elsewhere)

    def stitch_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that stitches the maps of a mosaic."""
        (mosaic,) = self._sizes([int(wildcards.mosaic)])
        return duration.maps_min(*mosaic, len(self.config.stitch.modalities), attempt)

    def volume_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that stitches a volume."""
        (mosaic,) = self._sizes([int(wildcards.mosaic)])
        return duration.volume_min(*mosaic, self.config.volume.depth_px, attempt)

    def share_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that stitches its share of a volume."""
        (mosaic,) = self._sizes([int(wildcards.mosaic)])
        settings = self.config.volume
        return duration.volume_min(*mosaic, settings.depth_px, attempt, shares=settings.shares)

    def register_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that registers the maps of a slice."""
        mosaics = self._sizes(self.mosaic_numbers(wildcards))
        elsewhere = self.config.register_.backend != "python"
        return duration.register_min(mosaics, attempt, elsewhere=elsewhere)

    def register_volumes_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that registers the volumes of a slice."""
        mosaics = self._sizes(self.mosaic_numbers(wildcards))
        return duration.register_volumes_min(mosaics, self.config.volume.depth_px, attempt)

    def place_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of a job that compares the maps of slices."""
        compared = [int(mosaic) for mosaic in self.compared_with(wildcards.slice)]
        return duration.register_min(self._sizes(compared), attempt)

    def stack_min(self, wildcards: Wildcards, attempt: int) -> int:
        """Return likewise that of the job that stacks the slices."""
        sizes = self._sizes(int(mosaic) for mosaic in self.reference_mosaics)
        slab_px = self.config.project.slice_thickness_um / self.config.instrument.voxel_z_um
        return duration.stack_min(sizes, math.ceil(slab_px), attempt)

    def priority(self, wildcards: Wildcards, rulename: str) -> int:
        """Return the priority of a job: higher goes first where both could run.

        Work of the tile pool goes before all other, for it has to keep up with the microscope;
        within a pool what was scanned first goes first, so that begun mosaics are finished.
        """
        pools = [lane for lane in reversed(LANES) if lane != "tile"] + ["tile"]
        pool = next(pools.index(lane) for lane, rules in LANES.items() if rulename in rules)
        return pool * _PER_POOL - min(self._scanned(wildcards), _PER_POOL)

    def _scanned(self, wildcards: Wildcards) -> int:
        """Return the mosaic that a job belongs to, the first of its slice; 0 of the project."""
        if hasattr(wildcards, "slice"):
            return self.config.experiment.mosaics_of(int(wildcards.slice))[0]
        return int(wildcards.mosaic) if hasattr(wildcards, "mosaic") else 0

    def _sizes(self, mosaics: Iterable[int]) -> memory.Mosaics:
        """Return the illumination of every mosaic and the places of its tiles in the grid."""
        experiment = self.config.experiment
        return [(experiment.illumination_of(m), experiment.grid_of(m).values()) for m in mosaics]
