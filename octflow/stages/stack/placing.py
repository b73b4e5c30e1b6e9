"""A slice is compared with those before it, as their maps lie on the disk."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.record import Product
from octflow.stages.stack.deform import find_displacement
from octflow.stages.stack.motion import Motion
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
