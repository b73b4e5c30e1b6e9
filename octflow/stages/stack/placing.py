"""A slice is compared with those before it, as their maps lie on the disk."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.stages.stack.deform import find_displacement
from octflow.stages.stack.level import find_offset_db
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.resample import resampled_block
from octflow.stages.stack.settings import COMPARED, StackSettings
from octflow.stages.stack.slices import read_map
from octflow.stages.stack.steps import Step, find_step


def found_step(
    images: dict[int, Product], before: list[int], slice_id: int, settings: StackSettings
) -> Step:
    """Compare a slice with those before, the nearest first, until one agrees.

    Parameters
    ----------
    images : dict of int to Product
        Maps by slice.
    before : list of int
        Slices before it, ascending, at least one.
    slice_id : int
        The slice.
    settings : StackSettings
        How they are compared.

    Returns
    -------
    step : Step
        Against the slice that agrees; without a motion, against the nearest, if none does.
    """
    if not settings.align:
        return Step(before[-1], slice_id, Motion(), None, trusted=True)
    current, doubted = read_map(images[slice_id]), []
    for previous in before[: -1 - COMPARED : -1]:
        image = read_map(images[previous])
        step = find_step(
            (previous, image),
            (slice_id, current),
            search_px=settings.search_px,
            band_px=settings.band_px,
            min_correlation=settings.min_correlation,
            max_rotation_deg=settings.max_rotation_deg if settings.rotate else 0.0,
        )
        if step.trusted:
            return _bent(step, image, current, settings) if settings.deform else step
        doubted.append(step)
    return doubted[0]


def offset_of(
    step: Step, images: dict[int, Product], intensities: dict[int, Product]
) -> float | None:
    """Return by how much the slice of a step is to be raised, in dB; None where nothing tells.

    Parameters
    ----------
    step : Step
        Of the slice.
    images, intensities : dict of int to Product
        Maps by slice: those that show what is tissue, and those in dB.
    """
    ids = (step.previous, step.slice_id)
    if not step.trusted or not all(i in intensities for i in ids):
        return None
    first, second = (_of_tissue(images[i], intensities[i]) for i in ids)
    whole = (slice(0, 1), slice(0, first.shape[0]), slice(0, first.shape[1]))
    place = Place(step.motion, step.displacement)
    return find_offset_db(first, resampled_block(second[None], whole, place)[0])


def _of_tissue(image: Product, intensity: Product) -> NDArray[np.float32]:
    """Read a map in dB, where the other one has a value."""
    shown, values = read_map(image), read_map(intensity)
    if shown.shape != values.shape:
        found = f"{values.shape[::-1]} px"
        raise DataError(intensity.path, found=found, expected=f"{shown.shape[::-1]} px")
    return np.where(np.isfinite(shown), values, np.float32(np.nan))


def _bent(
    step: Step,
    image: NDArray[np.float32],
    current: NDArray[np.float32],
    settings: StackSettings,
) -> Step:
    found = find_displacement(
        image,
        current,
        step.motion,
        spacing_px=settings.deform_spacing_px,
        max_px=settings.deform_max_px,
        band_px=settings.band_px,
    )
    return replace(step, displacement=found)
