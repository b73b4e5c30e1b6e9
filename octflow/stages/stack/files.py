"""Stage stack, file to file."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.core.record import Outcome, Product
from octflow.stages.stack.chain import chained
from octflow.stages.stack.frame import Stack
from octflow.stages.stack.level import levelled
from octflow.stages.stack.maps import AXES, write_axis_stack, write_map_stack
from octflow.stages.stack.orientation import to_reference
from octflow.stages.stack.overview import write_overview
from octflow.stages.stack.place import canvas_of
from octflow.stages.stack.placing import found_step, offset_of
from octflow.stages.stack.products import write_placement
from octflow.stages.stack.report import gaps_of, gates_of, numbers_of, warnings_of
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.slabs import Layout
from octflow.stages.stack.slices import (
    Records,
    products_of,
    read_map_shape,
    records_by_slice,
)
from octflow.stages.stack.step_files import read_steps, write_step
from octflow.stages.stack.steps import Step, completed, step_numbers
from octflow.stages.stack.volumes import write_volume_stack

LEVEL = "aip"
"""Role of the maps whose brightness is compared."""


def place_slice(
    *,
    stitched: list[Path],
    folder: Path,
    reference: str,
    slice_id: int,
    settings: StackSettings,
) -> Outcome:
    """Find how a slice lies against one before, and how bright it is against that.

    A damaged slice must not part those around it: where the nearest one does not agree, the next
    before is tried.

    Parameters
    ----------
    stitched : list of Path
        Flags of `stitch_enface` of the slice and of those before it that it is compared with.
    folder : Path
        Where the step goes, named slice_...
    reference : str
        Illumination whose maps are compared.
    slice_id : int
        The slice.
    settings : StackSettings
        See there; what is written of the stack is no part of it.

    Returns
    -------
    outcome : Outcome
        Without a step, and with a warning, where a map is lacking.
    """
    records = records_by_slice(stitched, reference)
    images, intensities = products_of(records, settings.image), products_of(records, LEVEL)
    before = [i for i in images if i < slice_id]
    if slice_id not in images or not before:
        lacking = f"slice {slice_id}: no {settings.image} of it, or of any before: not placed"
        return Outcome(warnings=[lacking])
    step = found_step(images, before, slice_id, settings)
    step = replace(step, offset_db=offset_of(step, images, intensities))
    compared = [i for i in images if i >= step.previous or not step.trusted]
    levels = [intensities[i] for i in compared if i in intensities and step.offset_db is not None]
    inputs = [images[i] for i in compared]
    return Outcome(
        inputs=inputs + [one for one in levels if one not in inputs],
        outputs=[write_step(folder / f"slice_{slice_id:03d}.json", step)],
        qc=step_numbers(step),
        gates=gates_of([step], settings),
    )


def stack_slices(  # noqa: PLR0913 - the keywords are the names in the rule
    *,
    stitched: list[Path],
    volumes: list[Path],
    registered: list[Path],
    placed: list[Path],
    overview: Path,
    folder: Path,
    reference: str,
    slice_thickness_um: float,
    instrument: Instrument,
    settings: StackSettings,
    threads: int,
) -> Outcome:
    """Stack maps, 3-D axes and volumes of all slices along the sectioning axis.

    Parameters
    ----------
    stitched, volumes, registered : list of Path
        Flags of `stitch_enface`, `join_volumes` and `register_slice`, as far as there are any.
    placed : list of Path
        Flags of `place_slice` of every slice but the first; none where none is moved or evened.
    overview : Path
        Sheet of pictures.
    folder : Path
        Where the products go, named stack_...
    reference : str
        Illumination whose maps and volumes are stacked.
    slice_thickness_um : float
        Distance from one slice to the next.
    instrument : Instrument
        Voxel size.
    settings : StackSettings
        See there.
    threads : int
        Blocks of a volume worked on side by side.

    Returns
    -------
    outcome : Outcome
        A missing slice is a gap in every product, and a warning.

    Raises
    ------
    DataError
        No slice has the map that places it.
    """
    mosaics = records_by_slice(stitched, reference)
    images = _chosen(products_of(mosaics, settings.image), settings)
    if not images:
        found = (
            f"{len(mosaics)} slices of {reference}, none of those asked for has {settings.image}"
        )
        raise DataError("stitched maps", found=found, expected="at least one slice with it")
    steps = _steps(images, placed, settings)
    stack = _stack(folder, images, steps, slice_thickness_um, instrument, settings)
    wanted = _wanted(stack, mosaics, records_by_slice(registered), settings)
    joined = _found(stack, records_by_slice(volumes, reference), settings.volumes)
    layout = Layout(
        thickness_px=slice_thickness_um / instrument.voxel_z_um,
        top_px=settings.top_px,
        skirt_px=settings.skirt_px,
    )
    outputs = [
        write_axis_stack(stack, role, found)
        if role == AXES
        else write_map_stack(stack, role, found)
        for role, found in wanted.items()
    ]
    outputs += [
        write_volume_stack(
            stack,
            role,
            found,
            layout,
            voxel_size_mm=instrument.voxel_size_mm,
            chunk_px=settings.chunk_px,
            shard_px=settings.shard_px,
            threads=threads,
        )
        for role, found in joined.items()
    ]
    outputs.append(write_placement(stack, steps, voxel_z_mm=instrument.voxel_size_mm[2]))
    outputs.append(write_overview(overview, stack, outputs))
    return Outcome(
        inputs=[p for found in [*wanted.values(), *joined.values()] for p in found.values()],
        outputs=outputs,
        qc=numbers_of(stack, steps),
        gates=gates_of(steps, settings),
        warnings=gaps_of(stack, settings) + warnings_of(stack, steps, wanted | joined, settings),
    )


def _chosen(images: dict[int, Product], settings: StackSettings) -> dict[int, Product]:
    """Return the maps of the slices that are asked for."""
    if settings.slices == "all":
        return images
    return {slice_id: one for slice_id, one in images.items() if slice_id in settings.slices}


def _steps(images: dict[int, Product], placed: list[Path], settings: StackSettings) -> list[Step]:
    """Return the step of every slice after the first one."""
    found = products_of(records_by_slice(placed), "step")
    steps = read_steps(one for slice_id, one in found.items() if slice_id in images)
    return completed(sorted(images), steps, trusted=not settings.align)


def _stack(
    folder: Path,
    images: dict[int, Product],
    steps: list[Step],
    slice_thickness_um: float,
    instrument: Instrument,
    settings: StackSettings,
) -> Stack:
    shapes = {slice_id: read_map_shape(image) for slice_id, image in images.items()}
    places = chained(
        shapes,
        steps,
        rounded=settings.placement == "rounded",
        fade=settings.deform_fade,
        max_px=settings.deform_max_px,
    )
    if settings.equalise:
        fade, max_db = settings.equalise_fade, settings.equalise_max_db
        places = levelled(places, steps, fade=fade, max_db=max_db)
    x_mm, y_mm, z_mm = instrument.voxel_size_mm
    size = (x_mm, y_mm, slice_thickness_um / 1000)
    middle_mm = (size[2] - z_mm) / 2
    canvas = canvas_of(shapes, places).widened(settings.canvas_step_px)
    even = settings.equalise
    stack = Stack(folder, canvas, places, size, equalised=even, first_plane_mm=middle_mm)
    return replace(stack, to_reference=to_reference(stack.affine, stack.shape, settings))


def _wanted(
    stack: Stack, mosaics: Records, slices: Records, settings: StackSettings
) -> dict[str, dict[int, Product]]:
    """Return the maps to be stacked, by role and slice."""
    roles = dict.fromkeys((*settings.maps, settings.image))
    return _found(stack, mosaics, roles) | _found(stack, slices, ("dn", AXES))


def _found(stack: Stack, records: Records, roles: Iterable[str]) -> dict[str, dict[int, Product]]:
    """Return products by role and slice: of slices that have a place, roles that exist."""
    placed = {i: record for i, record in records.items() if i in stack.places}
    found = {role: products_of(placed, role) for role in roles}
    return {role: products for role, products in found.items() if products}
