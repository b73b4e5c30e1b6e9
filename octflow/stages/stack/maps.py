"""Stacks of maps and of fields of axes: one plane per slice, of which only new ones are made."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import AXIAL
from octflow.core.record import Product
from octflow.io.nifti_planes import Planes, write_planes
from octflow.io.records import product
from octflow.stages.stack.frame import Stack, key_of
from octflow.stages.stack.meanings import MAPS
from octflow.stages.stack.resample import Block, resampled_axes, resampled_block
from octflow.stages.stack.slices import read_map

Floats = NDArray[np.float32]

AXES = "axis3d"
"""Role of the fields of unit axes."""


def write_map_stack(stack: Stack, role: str, maps: dict[int, Product]) -> Product:
    """Write maps as planes (Z, Y, X), NaN where a slice or a value is missing."""
    axial, in_db = role in AXIAL, role in stack.equalised

    def bands_of(slice_id: int) -> Iterator[Floats]:
        source, place = read_map(maps[slice_id])[None], stack.places[slice_id]
        for block in stack.bands():
            yield resampled_block(source, block, place, axial=axial, in_db=in_db)

    return _write(stack, role, maps, bands_of)


def write_axis_stack(stack: Stack, role: str, fields: dict[int, Product]) -> Product:
    """Write fields of unit axes as (3, Z, Y, X), 0 where there is no axis."""

    def bands_of(slice_id: int) -> Iterator[Floats]:
        source, place = read_map(fields[slice_id])[:, None], stack.places[slice_id]
        for block in stack.bands():
            yield resampled_axes(source, block, place)[:, 0]

    return _write(stack, role, fields, bands_of, components=3)


def _write(
    stack: Stack,
    role: str,
    found: dict[int, Product],
    bands_of: Callable[[int], Iterator[Floats]],
    *,
    components: int = 1,
) -> Product:
    """Write one plane per slice; where there is none, nothing."""
    path, slices = _path(stack, role), stack.slices
    missing = np.nan if components == 1 else 0

    def bands(index: int) -> Iterator[Floats]:
        return (
            bands_of(slices[index])
            if slices[index] in found
            else (_filled(block, components, missing) for block in stack.bands())
        )

    planes = Planes(
        stack.canvas.shape,
        [_key(stack, role, i, found) for i in slices],
        stack.affine,
        aligned=stack.to_reference is not None,
        components=components,
        name=role,
        description=MAPS.get(role, ""),
    )
    write_planes(path, planes, bands)
    return product(path, f"stack_{role}")


def _path(stack: Stack, role: str) -> Path:
    return stack.path(f"{role}.nii.gz")


def _key(stack: Stack, role: str, slice_id: int, found: dict[int, Product]) -> str:
    if slice_id not in found:
        return f"nothing on {stack.canvas}"
    return key_of(stack.made_from(role, slice_id, found[slice_id]))


def _filled(block: Block, components: int, value: float) -> Floats:
    _, y, x = block
    return np.full((components, y.stop - y.start, x.stop - x.start), value, np.float32)
