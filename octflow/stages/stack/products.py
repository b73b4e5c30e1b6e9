"""What stage stack writes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import AXIAL
from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.omezarr import Plan, read_volume
from octflow.io.picture import Panel, panel_of, write_sheet
from octflow.io.records import checked, product
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.place import Canvas, Place
from octflow.stages.stack.resample import Block, Source, resampled_axes, resampled_block
from octflow.stages.stack.slabs import Layout, blend_slabs
from octflow.stages.stack.slices import read_map
from octflow.stages.stack.steps import Step

Floats = NDArray[np.float32]
Shape = tuple[int, int, int]

AXES = "axis3d"
"""Role of the fields of unit axes."""
_MAX_PLANES_SHOWN = 8
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

    @property
    def slices(self) -> range:
        """All slices from the first to the last, those missing in between too."""
        return range(min(self.places), max(self.places) + 1)

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Position (x, y, z) of the centre of the first pixel in the frame of the first slice."""
        x, y = self.canvas.origin_px
        return (x * self.voxel_size_mm[0], y * self.voxel_size_mm[1], 0.0)

    def in_frame(self, y: slice, x: slice) -> tuple[slice, slice]:
        """Turn pixels of the canvas into positions in the frame of the first slice."""
        by_x, by_y = self.canvas.origin_px
        return slice(y.start + by_y, y.stop + by_y), slice(x.start + by_x, x.stop + by_x)

    def bands(self) -> Iterator[tuple[slice, Block]]:
        """Yield bands of lines of the canvas, and the same as blocks (z, y, x) of the frame."""
        n_y, n_x = self.canvas.shape
        for start in range(0, n_y, _BAND_PX):
            lines = slice(start, min(start + _BAND_PX, n_y))
            yield lines, (slice(0, 1), *self.in_frame(lines, slice(0, n_x)))

    def path(self, name: str) -> Path:
        """Name a product."""
        return self.folder / f"stack_{name}"


def write_map_stack(stack: Stack, role: str, maps: dict[int, Product]) -> Product:
    """Write maps as planes (Z, Y, X), NaN where a slice or a value is missing."""
    planes = np.full((len(stack.slices), *stack.canvas.shape), np.nan, np.float32)
    for slice_id, one in maps.items():
        source, plane = read_map(one)[None], planes[stack.slices.index(slice_id)]
        for lines, block in stack.bands():
            plane[lines] = resampled_block(
                source,
                block,
                stack.places[slice_id],
                axial=role in AXIAL,
                in_db=role in stack.equalised,
            )[0]
    return _write_nifti(stack, role, planes)


def write_axis_stack(stack: Stack, role: str, fields: dict[int, Product]) -> Product:
    """Write fields of unit axes as (3, Z, Y, X), 0 where there is no axis."""
    planes = np.zeros((3, len(stack.slices), *stack.canvas.shape), np.float32)
    for slice_id, one in fields.items():
        source, plane = read_map(one)[:, None], planes[:, stack.slices.index(slice_id)]
        for lines, block in stack.bands():
            plane[:, lines] = resampled_axes(source, block, stack.places[slice_id])[:, 0]
    return _write_nifti(stack, role, planes)


def write_volume_stack(
    stack: Stack,
    role: str,
    volumes: dict[int, Product],
    layout: Layout,
    *,
    voxel_size_mm: tuple[float, float, float],
    chunk_px: Shape,
    shard_px: Shape,
    threads: int,
) -> Product:
    """Join the volumes of all slices to one, block by block.

    Parameters
    ----------
    stack : Stack
        Canvas and places.
    role : str
        Modality.
    volumes : dict of int to Product
        OME-Zarr of every slice that has one.
    layout : Layout
        Depths of the slices.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    chunk_px, shard_px : (3,) ints
        See `Plan`.
    threads : int
        Shards worked on side by side.
    """
    sources: dict[int, Source] = {i: read_volume(checked(p)) for i, p in volumes.items()}
    axial, evened, first = role in AXIAL, role in stack.equalised, stack.slices.start

    def block_of(z: slice, y: slice, x: slice) -> Floats:
        in_y, in_x = stack.in_frame(y, x)

        def block_of_slab(slab: int, depths: slice) -> Floats:
            source, place = sources[slab + first], stack.places[slab + first]
            return resampled_block(source, (depths, in_y, in_x), place, axial=axial, in_db=evened)

        there = [s for s in layout.slabs_at(z, len(stack.slices)) if s + first in sources]
        if not there:
            return np.full((z.stop - z.start, y.stop - y.start, x.stop - x.start), np.nan, "f4")
        return blend_slabs(layout, there, z, block_of_slab, axial=axial)

    path = stack.path(f"{role}.ome.zarr")
    write_volume(
        path,
        Plan(
            (layout.start(len(stack.slices)), *stack.canvas.shape),
            voxel_size_mm,
            f"stack {role}",
            axial=axial,
            chunk_px=chunk_px,
            shard_px=shard_px,
        ),
        block_of=block_of,
        threads=threads,
    )
    return product(path, f"stack_{role}")


def write_placement(stack: Stack, steps: Sequence[Step]) -> Product:
    """Write where every slice lies, as JSON."""
    path = stack.path("placement.json")
    content = {
        "motions": "what lies at p (x, y) in the frame of the first slice lies in the slice at "
        "q = R (p - centre) + centre + shift, R = [[cos, -sin], [sin, cos]] of the angle",
        "origin_px": stack.canvas.origin_px,
        "slices": {str(i): asdict(stack.places[i].motion) for i in sorted(stack.places)},
        "missing": [i for i in stack.slices if i not in stack.places],
        "steps": [asdict(step) for step in steps],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
    return product(path, "placement")


def write_overview(path: Path, stack: Stack, outputs: Sequence[Product]) -> Product:
    """Draw planes of the stacked maps, and cuts through the maps and the volume."""
    paths = {one.role.removeprefix("stack_"): Path(one.path) for one in outputs}
    image = next(role for role in ("aip", *paths) if role in paths)
    planes = np.atleast_3d(read_nifti(paths[image]).T).T
    shown = stack.slices[:_MAX_PLANES_SHOWN]
    panels = [panel_of(image, planes[i], f"{image}, slice {s}") for i, s in enumerate(shown)]
    deep = "dBI" in paths
    panels += _cuts("dBI", read_volume(paths["dBI"])) if deep else _cuts(image, planes)
    write_sheet(path, panels, title=f"{len(stack.places)} slices", across=4)
    return product(path, "overview")


def _cuts(modality: str, source: Source) -> list[Panel]:
    """Cut through the middle, along x and along y."""
    n_z, n_y, n_x = source.shape
    every_z, every_y, every_x = slice(0, n_z), slice(0, n_y), slice(0, n_x)
    along_x = np.asarray(source[every_z, slice(n_y // 2, n_y // 2 + 1), every_x])[:, 0]
    along_y = np.asarray(source[every_z, every_y, slice(n_x // 2, n_x // 2 + 1)])[:, :, 0]
    return [
        panel_of(modality, along_x, f"{modality}: x-z"),
        panel_of(modality, along_y, f"{modality}: y-z"),
    ]


def _write_nifti(stack: Stack, role: str, planes: Floats) -> Product:
    path = stack.path(f"{role}.nii.gz")
    write_nifti(path, planes, voxel_size_mm=stack.voxel_size_mm, origin_mm=stack.origin_mm)
    return product(path, f"stack_{role}")
