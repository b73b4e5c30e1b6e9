"""From one slice to the next: how they lie against each other, and all of them in a chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.search import find_motion

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Step:
    """From one slice to a later one."""

    previous: int
    """Slice it was compared with."""
    slice_id: int
    """The slice."""
    motion: Motion
    """What lies at p in the previous slice lies at motion(p) in this one."""
    correlation: float | None
    """Correlation of both then; None where nothing could be compared."""
    trusted: bool
    """Whether the motion was believed; if not, there is none."""
    displacement: Displacement | None = None
    """What comes before the motion: p in the previous slice lies at motion(p + displacement(p))."""
    offset_db: float | None = None
    """What is to be added to this slice to be as bright; None where that is not known."""


def find_step(
    previous: tuple[int, Floats],
    current: tuple[int, Floats],
    *,
    search_px: int,
    band_px: tuple[float, float],
    min_correlation: float,
    max_rotation_deg: float = 0.0,
) -> Step:
    """Find how a slice is turned and shifted against one before.

    Parameters
    ----------
    previous, current : (int, (Y, X) array)
        Slice ids and maps, NaN where there is nothing; sizes may differ.
    search_px : int
        Largest shift.
    band_px : (2,) floats
        Gaussian sigmas between which structure is compared.
    min_correlation : float
        What a motion needs to be believed.
    max_rotation_deg : float
        Largest angle; 0: translations only.

    Returns
    -------
    step : Step
        Without any motion where the best one is not believed.
    """
    found = find_motion(
        previous[1],
        current[1],
        search_px=search_px,
        band_px=band_px,
        max_rotation_deg=max_rotation_deg,
    )
    correlation = None if found is None else found.correlation
    if found is None or found.correlation < min_correlation:
        return Step(previous[0], current[0], Motion(), correlation, trusted=False)
    return Step(previous[0], current[0], found.motion, correlation, trusted=True)


def completed(slices: Sequence[int], steps: Sequence[Step], *, trusted: bool) -> list[Step]:
    """Return one step for every slice but the first: a slice without one follows the one before.

    Parameters
    ----------
    slices : sequence of int
        Slices of the stack, ascending.
    steps : sequence of Step
        Those that were found.
    trusted : bool
        Whether following the one before is what was asked for.

    Examples
    --------
    >>> found = [Step(1, 3, Motion((2.0, 0.0)), 0.9, True)]
    >>> [(s.previous, s.slice_id) for s in completed([1, 2, 3], found, trusted=False)]
    [(1, 2), (1, 3)]
    """
    found = {step.slice_id: step for step in steps if step.previous in slices}
    return [found.get(b, Step(a, b, Motion(), None, trusted=trusted)) for a, b in pairwise(slices)]


def step_numbers(step: Step) -> dict[str, float | int | str | None]:
    """Return the quality numbers of a step."""
    bent = step.displacement
    return {
        "compared_with_slice": step.previous,
        "shift_px": float(np.hypot(*step.motion.shift_px)),
        "angle_deg": step.motion.angle_deg,
        "correlation": step.correlation,
        "displacement_largest_px": None if bent is None else bent.longest_px,
        "displacement_rms_px": None if bent is None else bent.rms_px,
        "offset_db": step.offset_db,
    }


def accumulated(
    first: int,
    steps: Sequence[Step],
    *,
    centre_px: tuple[float, float] = (0.0, 0.0),
    rounded: bool = False,
) -> dict[int, Motion]:
    """Chain steps: the motion of every slice against the first one, about one centre (x, y).

    Rounding comes last, so that its error does not add up.

    Examples
    --------
    >>> there, back = Motion((0.4, 1.0)), Motion((0.4, -3.0))
    >>> steps = [Step(1, 2, there, 0.9, True), Step(2, 4, back, 0.9, True)]
    >>> [motion.shift_px for motion in accumulated(1, steps, rounded=True).values()]
    [(0.0, 0.0), (0.0, 1.0), (1.0, -2.0)]
    """
    motions = {first: Motion(centre_px=centre_px)}
    for step in steps:
        motions[step.slice_id] = motions[step.previous].then(step.motion)
    return {i: motion.rounded() if rounded else motion for i, motion in motions.items()}
