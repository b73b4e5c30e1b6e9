"""The volumes of a slice on disk: those of its illuminations, and those that are made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from octflow.core.instrument import Instrument
from octflow.core.names import VOLUMES
from octflow.core.record import Product
from octflow.io.digest import content_id
from octflow.io.omezarr import Plan, as_shape, read_volume, read_volume_voxel_size_mm
from octflow.io.records import checked, product, read_record
from octflow.io.volume_writer import BlockOf, write_volume
from octflow.stages.register import VERSION
from octflow.stages.register.probes import probe_columns
from octflow.stages.register.sampling import Block, Source
from octflow.stages.register.settings import RegisterSettings

Volumes = Mapping[str, Product]
"""Volumes of one illumination, by modality."""

_COARSEST_PX = 128
"""The tissue is looked for in the first level that is not longer than this."""


@dataclass(frozen=True)
class SliceVolumes:
    """The volumes of a slice, where they go and how."""

    slice_id: int
    """Slice, from 1."""
    folder: Path
    """Where products go."""
    fixed: str
    """Illumination whose voxels the products lie on."""
    tilts: Mapping[str, float]
    """Tilt in degrees of every illumination."""
    volumes: Mapping[str, Volumes]
    """What there is of every illumination."""
    instrument: Instrument
    """The microscope."""
    settings: RegisterSettings
    """See there."""
    threads: int
    """Shards worked on side by side."""

    def source(self, illumination: str, modality: str, level: int = 0) -> Source:
        """Open a level of a volume."""
        array: Source = read_volume(self.path_of(illumination, modality), level)
        return array

    def path_of(self, illumination: str, modality: str) -> Path:
        """Return the folder of a volume, compared with its record."""
        return checked(self.volumes[illumination][modality])

    def probes(self) -> list[Block]:
        """Return columns of the fixed volume that hold tissue."""
        path, level = self.path_of(self.fixed, "dBI"), 0
        while max((coarse := read_volume(path, level)).shape) > _COARSEST_PX:
            level += 1
        seen = np.isfinite(np.asarray(coarse[:])).any(axis=0)
        return probe_columns(self.source(self.fixed, "dBI").shape, seen)

    def write(
        self, name: str, block_of: BlockOf, *, made_from: dict[str, Any], axial: bool
    ) -> Product:
        """Write a volume on the voxels of the fixed view.

        Parameters
        ----------
        name : str
            Its role, and what its file is called after the slice.
        block_of : callable
            Values; see `write_volume`.
        made_from : dict
            What decides them, besides the volumes of the slice and the settings.
        axial : bool
            They are axis angles in degrees.
        """
        path = self.folder / f"slice-{self.slice_id:03d}_{name}.ome.zarr"
        options = self.settings.in_depth
        like = self.path_of(self.fixed, "dBI")
        decisive = {
            "version": VERSION,
            "volumes": {n: {m: p.id for m, p in v.items()} for n, v in self.volumes.items()},
            "in_depth": options.plain(),
            "tilts": dict(self.tilts),
            "wavelength_um": self.instrument.wavelength_um,
            **made_from,
        }
        plan = Plan(
            as_shape(read_volume(like).shape),
            read_volume_voxel_size_mm(like),
            f"slice {self.slice_id} {name}",
            axial=axial,
            chunk_px=options.chunk_px,
            shard_px=options.shard_px,
            made_from=content_id(decisive),
        )
        write_volume(path, plan, block_of=block_of, threads=self.threads)
        return product(path, name)


def volumes_of(joined: list[Path]) -> dict[str, Volumes]:
    """Return the volumes of every illumination, by its name, from flags of `join_volumes`."""
    records = [read_record(flag) for flag in joined]
    return {
        str(record.unit.illumination): {p.role: p for p in record.outputs if p.role in VOLUMES}
        for record in records
    }
