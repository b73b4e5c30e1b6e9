"""Stage stack, file to file."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.core.record import Gate, Outcome, Product
from octflow.stages.stack.chain import chained
from octflow.stages.stack.frame import Stack
from octflow.stages.stack.maps import AXES, write_axis_stack, write_map_stack
from octflow.stages.stack.orientation import to_reference
from octflow.stages.stack.overview import write_overview
from octflow.stages.stack.place import canvas_of
from octflow.stages.stack.placing import found_step
from octflow.stages.stack.products import write_placement
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


def place_slice(
    *,
    stitched: list[Path],
    folder: Path,
    reference: str,
    slice_id: int,
    settings: StackSettings,
) -> Outcome:
    """Find how a slice lies against one before.

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
    images = products_of(records_by_slice(stitched, reference), settings.image)
    before = [i for i in images if i < slice_id]
    if slice_id not in images or not before:
        lacking = f"slice {slice_id}: no {settings.image} of it, or of any before: not placed"
        return Outcome(warnings=[lacking])
    step = found_step(images, before, slice_id, settings)
    compared = [i for i in images if i >= step.previous or not step.trusted]
    return Outcome(
        inputs=[images[i] for i in compared],
        outputs=[write_step(folder / f"slice_{slice_id:03d}.json", step)],
        qc=step_numbers(step),
        gates=_gates([step], settings),
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
        Flags of `place_slice` of every slice but the first; none where slices lie as they are.
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
        qc=_qc(stack, steps),
        gates=_gates(steps, settings),
        warnings=_gaps(stack, settings) + _warnings(stack, steps, wanted | joined, settings),
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
    x_mm, y_mm, z_mm = instrument.voxel_size_mm
    size = (x_mm, y_mm, slice_thickness_um / 1000)
    middle_mm = (size[2] - z_mm) / 2
    canvas = canvas_of(shapes, places).widened(settings.canvas_step_px)
    stack = Stack(folder, canvas, places, size, first_plane_mm=middle_mm)
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


def _qc(stack: Stack, steps: list[Step]) -> dict[str, float | int | str | None]:
    motions = [step.motion for step in steps]
    shifts = [float(np.hypot(*motion.shift_px)) for motion in motions]
    x_px, y_px = stack.places[stack.slices.start].motion.centre_px
    known = [step.correlation for step in steps if step.correlation is not None]
    return {
        "first_slice": stack.slices.start,
        "slices": len(stack.places),
        "slices_missing": len(stack.slices) - len(stack.places),
        "centre_x_px": x_px,
        "centre_y_px": y_px,
        "largest_step_px": max(shifts, default=0.0),
        "largest_step_deg": max((abs(motion.angle_deg) for motion in motions), default=0.0),
        "least_correlation": float(min(known)) if known else None,
        "largest_displacement_px": max(
            (p.displacement.longest_px for p in stack.places.values() if p.displacement),
            default=0.0,
        ),
    }


def _gates(steps: list[Step], settings: StackSettings) -> list[Gate]:
    bends = [
        Gate(
            name=f"slice_{step.slice_id:03d}_displacement",
            verdict="warn" if _stretched(step, settings) else "pass",
            value=step.displacement.longest_px,
            bound=settings.deform_max_px,
        )
        for step in steps
        if step.displacement
    ]
    return bends + [
        Gate(
            name=f"slice_{step.slice_id:03d}_correlation",
            verdict="pass" if step.trusted else "warn",
            value=step.correlation,
            bound=settings.min_correlation,
        )
        for step in steps
        if settings.align
    ]


def _stretched(step: Step, settings: StackSettings) -> bool:
    """Say whether a displacement is as long as it may be; what is written of it is rounded."""
    longest_px = 0.0 if step.displacement is None else step.displacement.longest_px
    return longest_px > 0.999 * settings.deform_max_px


def _gaps(stack: Stack, settings: StackSettings) -> list[str]:
    """Name the slices that are lacking; those that nobody asked for are no reason to warn."""
    asked = stack.slices if settings.slices == "all" else sorted(settings.slices)
    return [f"slice {i}: not there, a gap" for i in asked if i not in stack.places]


def _warnings(
    stack: Stack,
    steps: list[Step],
    products: dict[str, dict[int, Product]],
    settings: StackSettings,
) -> list[str]:
    unsure = [
        f"slice {step.slice_id}: motion against slice {step.previous} not believed, none taken"
        for step in steps
        if not step.trusted
    ]
    holes = [
        f"slice {i}: no {role}, a gap in stack_{role}"
        for role, found in products.items()
        for i in stack.places
        if i not in found
    ]
    torn = [
        f"slice {step.slice_id}: bent as far as deform_max_px allows, more would be needed"
        for step in steps
        if _stretched(step, settings)
    ]
    return unsure + torn + holes
