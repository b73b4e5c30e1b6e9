"""The frame of the stack: its canvas, the places of its slices, and what they are made from."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from octflow.core.names import AXIAL
from octflow.core.record import Product
from octflow.io.digest import content_id, raw_id
from octflow.io.nifti import Affine, scaling_affine
from octflow.stages.stack import VERSION
from octflow.stages.stack.place import Canvas, Place
from octflow.stages.stack.resample import Block

_BAND_PX = 256
"""Lines of a map that are made at a time."""


@dataclass(frozen=True)
class Stack:
    """Where everything goes: the canvas, its slices, their places."""

    folder: Path
    canvas: Canvas
    places: dict[int, Place]
    """Where every slice lies in the frame of the first one."""
    voxel_size_mm: tuple[float, float, float]
    """Size (x, y, z) of a pixel of a map, z being the thickness of a slice."""
    equalised: tuple[str, ...] = ()
    """Roles of the maps and volumes in dB that are evened."""
    first_plane_mm: float = 0.0
    """Depth of the middle of the first slice below the first voxels of the volumes."""
    to_reference: Affine | None = None
    """(4, 4) what takes the frame, in mm, to the space of another image; None: there is none."""

    @property
    def slices(self) -> range:
        """All slices from the first to the last, those missing in between too."""
        return range(min(self.places), max(self.places) + 1)

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Position (x, y, z) of the centre of the first pixel in the frame of the first slice."""
        x, y = self.canvas.origin_px
        return (x * self.voxel_size_mm[0], y * self.voxel_size_mm[1], self.first_plane_mm)

    @property
    def affine(self) -> Affine:
        """What takes voxel indices (x, y, z) of the maps to mm."""
        return self._placed(scaling_affine(self.voxel_size_mm, self.origin_mm))

    def affine_of_volumes(self, voxel_z_mm: float) -> Affine:
        """Return the same for volumes with voxels of a size along z."""
        x_mm, y_mm, _ = self.voxel_size_mm
        return self._placed(scaling_affine((x_mm, y_mm, voxel_z_mm), (*self.origin_mm[:2], 0.0)))

    def _placed(self, affine: Affine) -> Affine:
        return affine if self.to_reference is None else self.to_reference @ affine

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (x, y, z) of the stacked maps."""
        n_y, n_x = self.canvas.shape
        return n_x, n_y, len(self.slices)

    def in_frame(self, y: slice, x: slice) -> tuple[slice, slice]:
        """Turn pixels of the canvas into positions in the frame of the first slice."""
        by_x, by_y = self.canvas.origin_px
        return slice(y.start + by_y, y.stop + by_y), slice(x.start + by_x, x.stop + by_x)

    def bands(self) -> Iterator[Block]:
        """Yield the canvas in bands of lines, as blocks (z, y, x) of the frame."""
        n_y, n_x = self.canvas.shape
        for start in range(0, n_y, _BAND_PX):
            lines = slice(start, min(start + _BAND_PX, n_y))
            yield (slice(0, 1), *self.in_frame(lines, slice(0, n_x)))

    def path(self, name: str) -> Path:
        """Name a product."""
        return self.folder / f"stack_{name}"

    def made_from(self, role: str, slice_id: int, one: Product) -> list[Any]:
        """Return, as plain values, what decides what the canvas shows of a product of a slice."""
        place = self.places[slice_id]
        options = {"axial": role in AXIAL, "in_db": role in self.equalised}
        canvas = asdict(self.canvas)
        return [VERSION, one.id, _plain(place), canvas, options]


def key_of(made_from: list[Any]) -> str:
    """Return the digest of what something is made from."""
    return content_id(made_from)


def _plain(place: Place) -> list[Any]:
    deformed = place.displacement
    lattice = None
    if deformed is not None:
        nodes = raw_id(deformed.by_px.astype("<f8").tobytes())
        lattice = [nodes, deformed.by_px.shape, deformed.first_px, deformed.spacing_px]
    return [asdict(place.motion), lattice, place.offset_db]
