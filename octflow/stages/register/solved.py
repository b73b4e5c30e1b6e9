"""From the views of a slice on the same pixels to what is written of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from octflow.core.record import Backend
from octflow.stages.register.fibres import FibreField, View, fibre_field
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.register.smoothing import Averaged, Smoothing, averaged_views

_PYTHON = Backend(name="python")


@dataclass(frozen=True)
class Solved:
    """What the views see, and the fibres that they tell of."""

    views: list[View]
    """Averaged, on the pixels of the fixed one, which comes first."""
    field: FibreField | None
    """Their fibres; None of one view."""
    averaged_pixels: float | None
    """Median number of pixels that were averaged; None where that is not known."""
    program: Backend | None
    """What computed both."""


def solve_here(views: Sequence[View], settings: RegisterSettings, threads: int) -> Solved:
    """Average views, and solve for the fibres of two or more.

    Parameters
    ----------
    views : sequence of View
        On the same pixels.
    settings : RegisterSettings
        How.
    threads : int
        Blocks of lines that are worked on at a time.

    Returns
    -------
    solved : Solved
        The same on any number of threads.

    Raises
    ------
    EstimateError
        All tilts are alike.
    """
    how = Smoothing(
        kind=settings.axis_smoothing,
        sigma_px=settings.axis_smoothing_px,
        radius_px=settings.axis_smoothing_radius_px,
        goal_deg=settings.axis_goal_deg,
    )
    weights, noise = weights_of(views, settings), settings.axis_noise_root_dn or None
    averaged = averaged_views(views, weights, how, noise=noise, threads=threads)
    if len(views) < 2:
        return Solved(averaged.views, None, None, _PYTHON)
    field = fibre_field(
        averaged.views,
        weights,
        noise=noise,
        share=averaged.share,
        mode=settings.mode,
        threads=threads,
    )
    return Solved(averaged.views, field, _averaged_pixels(averaged, field), _PYTHON)


def weights_of(views: Sequence[View], settings: RegisterSettings) -> list[float]:
    """Return the weights of views in the least squares."""
    return [settings.view_weights.get(view.name, 1.0) for view in views]


def _averaged_pixels(averaged: Averaged, field: FibreField) -> float | None:
    if averaged.share is None or not field.valid.any():
        return None
    return float(1 / np.median(averaged.share[field.valid]))
