"""Stage stack, file to file."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.core.record import Gate, Outcome, Product
from octflow.stages.stack.place import Step, accumulated, canvas_of, find_step
from octflow.stages.stack.products import (
    AXES,
    Stack,
    write_axis_stack,
    write_map_stack,
    write_overview,
    write_placement,
    write_volume_stack,
)
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.slabs import Layout
from octflow.stages.stack.slices import (
    Records,
    products_of,
    read_map,
    read_map_shape,
    records_by_slice,
)


def stack_slices(  # noqa: PLR0913 - the keywords are the names in the rule
    *,
    stitched: list[Path],
    volumes: list[Path],
    registered: list[Path],
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
    images = products_of(mosaics, settings.image)
    if not images:
        found = f"{len(mosaics)} slices of {reference} without the map {settings.image}"
        raise DataError("stitched maps", found=found, expected="at least one slice with it")
    steps = _steps(images, settings)
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
    outputs += [write_placement(stack, steps), write_overview(overview, stack, outputs)]
    return Outcome(
        inputs=[p for found in [*wanted.values(), *joined.values()] for p in found.values()],
        outputs=outputs,
        qc=_qc(stack, steps),
        gates=_gates(steps, settings),
        warnings=_warnings(stack, steps, wanted | joined),
    )


def _steps(images: dict[int, Product], settings: StackSettings) -> list[Step]:
    """Compare every slice with the one before it, two maps in memory at a time."""
    ids = sorted(images)
    if not settings.align:
        return [Step(a, b, (0.0, 0.0), None, trusted=True) for a, b in pairwise(ids)]
    steps, previous = [], (ids[0], read_map(images[ids[0]]))
    for slice_id in ids[1:]:
        current = (slice_id, read_map(images[slice_id]))
        steps.append(
            find_step(
                previous,
                current,
                search_px=settings.search_px,
                band_px=settings.band_px,
                min_correlation=settings.min_correlation,
            )
        )
        previous = current
    return steps


def _stack(
    folder: Path,
    images: dict[int, Product],
    steps: list[Step],
    slice_thickness_um: float,
    instrument: Instrument,
    settings: StackSettings,
) -> Stack:
    shifts = accumulated(min(images), steps, rounded=settings.placement == "rounded")
    shapes = {slice_id: read_map_shape(image) for slice_id, image in images.items()}
    x_mm, y_mm, _ = instrument.voxel_size_mm
    size = (x_mm, y_mm, slice_thickness_um / 1000)
    return Stack(folder, canvas_of(shapes, shifts), shifts, size)


def _wanted(
    stack: Stack, mosaics: Records, slices: Records, settings: StackSettings
) -> dict[str, dict[int, Product]]:
    """Return the maps to be stacked, by role and slice."""
    roles = dict.fromkeys((*settings.maps, settings.image))
    return _found(stack, mosaics, roles) | _found(stack, slices, ("dn", AXES))


def _found(stack: Stack, records: Records, roles: Iterable[str]) -> dict[str, dict[int, Product]]:
    """Return products by role and slice: of slices that have a place, roles that exist."""
    placed = {i: record for i, record in records.items() if i in stack.shifts}
    found = {role: products_of(placed, role) for role in roles}
    return {role: products for role, products in found.items() if products}


def _qc(stack: Stack, steps: list[Step]) -> dict[str, float | int | str | None]:
    shifts = [np.hypot(*step.shift_px) for step in steps]
    known = [step.correlation for step in steps if step.correlation is not None]
    return {
        "first_slice": stack.slices.start,
        "slices": len(stack.shifts),
        "slices_missing": len(stack.slices) - len(stack.shifts),
        "largest_step_px": float(max(shifts, default=0.0)),
        "least_correlation": float(min(known)) if known else None,
    }


def _gates(steps: list[Step], settings: StackSettings) -> list[Gate]:
    return [
        Gate(
            name=f"slice_{step.slice_id:03d}_correlation",
            verdict="pass" if step.trusted else "warn",
            value=step.correlation,
            bound=settings.min_correlation,
        )
        for step in steps
        if settings.align
    ]


def _warnings(
    stack: Stack, steps: list[Step], products: dict[str, dict[int, Product]]
) -> list[str]:
    lost = [f"slice {i}: not there, a gap" for i in stack.slices if i not in stack.shifts]
    unsure = [
        f"slice {step.slice_id}: shift against slice {step.previous} not believed, taken as 0"
        for step in steps
        if not step.trusted
    ]
    holes = [
        f"slice {i}: no {role}, a gap in stack_{role}"
        for role, found in products.items()
        for i in stack.shifts
        if i not in found
    ]
    return lost + unsure + holes
