"""The places of all slices, from the steps between them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from octflow.stages.stack.displacement import Displacement, bounded
from octflow.stages.stack.motion import Motion, turned
from octflow.stages.stack.place import Place
from octflow.stages.stack.steps import Step, accumulated

Floats = NDArray[np.floating]


def chained(
    shapes: Mapping[int, tuple[int, int]],
    steps: Sequence[Step],
    *,
    rounded: bool = False,
    fade: float = 1.0,
    max_px: float = math.inf,
) -> dict[int, Place]:
    """Return the place of every slice in the frame of the first one.

    Motions add up as they are. Displacements fade: that of a slice is `fade` times what it would
    take to lie on the one before as that is laid down. So what is a cut of one slice alone is
    undone, and courses that run obliquely through many slices are not straightened.

    Parameters
    ----------
    shapes : dict of int to (Y, X)
        Size of every slice.
    steps : sequence of Step
        One for every slice but the first, in order; each tells of the slice it was compared with.
    rounded : bool
        Whether shifts are whole pixels. Rounding comes last, so that its error does not add up.
    fade : float
        From 0 (slices are not deformed) to 1 (every slice follows the first one).
    max_px : float
        Longest displacement of a slice.

    Returns
    -------
    places : dict of int to Place
        By slice. A place depends on the slices before alone.
    """
    first = min(shapes)
    n_y, n_x = shapes[first]
    centre = ((n_x - 1) / 2, (n_y - 1) / 2)
    motions = accumulated(first, steps, centre_px=centre)
    bent: dict[int, Displacement | None] = {first: None}
    for step in steps:
        before, i = Place(motions[step.previous], bent[step.previous]), step.slice_id
        bent[i] = _faded(_bent(before, step, motions[i], shapes[i]), fade, max_px)
    laid = accumulated(first, steps, centre_px=centre, rounded=rounded)
    return {i: Place(motion, bent[i]) for i, motion in laid.items()}


def _bent(before: Place, step: Step, motion: Motion, shape: tuple[int, int]) -> Displacement | None:
    """Return the displacement with which a slice lies on the one before as that is laid down."""
    known = step.displacement or before.displacement
    if known is None:
        return None
    first_px, x, y = _nodes(motion, shape, known.spacing_px)
    by_x, by_y = np.zeros_like(x), np.zeros_like(y)
    if before.displacement is not None:
        by_x, by_y = before.displacement.at(x, y)
    if step.displacement is not None:
        more = step.displacement.at(*before.motion.at(x + by_x, y + by_y))
        more_x, more_y = turned(*more, -before.motion.angle_deg)
        by_x, by_y = by_x + more_x, by_y + more_y
    return Displacement(np.stack([by_x, by_y]), first_px, known.spacing_px)


def _nodes(
    motion: Motion, shape: tuple[int, int], spacing_px: float
) -> tuple[tuple[float, float], Floats, Floats]:
    """Return the first and all nodes that a slice lies on; they are those of its neighbours."""
    n_y, n_x = shape
    x, y = motion.from_slice(np.array([0, n_x, 0, n_x]), np.array([0, 0, n_y, n_y]))
    along = [
        spacing_px * np.arange(np.floor(c.min() / spacing_px), np.ceil(c.max() / spacing_px) + 1)
        for c in (x, y)
    ]
    at_x, at_y = np.meshgrid(*along)
    return (float(along[0][0]), float(along[1][0])), at_x, at_y


def _faded(bent: Displacement | None, fade: float, max_px: float) -> Displacement | None:
    if bent is None:
        return None
    return Displacement(bounded(fade * bent.by_px, max_px), bent.first_px, bent.spacing_px)
