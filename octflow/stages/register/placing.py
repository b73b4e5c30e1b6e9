"""Place a moving view on the fixed one, and judge whether that can be believed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from octflow.core.errors import EstimateError
from octflow.core.gates import Bound, judged
from octflow.core.record import Gate
from octflow.stages.register.agreement import agreement
from octflow.stages.register.align import Alignment, Shape, align, foreshortening, guess, shape_of
from octflow.stages.register.fibres import Mask, View, seen_fraction, warped_view

log = logging.getLogger(__name__)

Numbers = dict[str, float | None]


@dataclass(frozen=True)
class Search:
    """How an affine is searched for; see `align`."""

    smoothing_px: float = 2.0
    bins: int = 32
    levels: int = 3
    iterations: int = 200
    largest_level_px: int = 2_000_000


@dataclass(frozen=True)
class Placed:
    """A moving view on the pixels of the fixed one, and how it got there."""

    view: View
    """Its maps on the fixed pixels."""
    start: View
    """The same where the guess from the tilt puts them."""
    alignment: Alignment
    """The affine that was used and its agreement."""
    shape: Shape
    """Rotation and stretch of the affine that was found."""
    overlap_fraction: float
    """Tissue that both views see under the affine that was found."""
    numbers: Numbers
    """What the affine that was found was judged by; empty where none was found."""
    gates: list[Gate]
    """The judgements."""

    @property
    def trusted(self) -> bool:
        """Whether the affine that was found is the one used; else it is the guess."""
        return all(gate.verdict != "fail" for gate in self.gates)

    @property
    def turn_deg(self) -> float:
        """Rotation by the affine that is used; the guess turns nothing."""
        return self.shape.rotation_deg if self.trusted else 0.0


def place(fixed: View, moving: View, search: Search, bounds: Mapping[str, Bound]) -> Placed:
    """Register a moving view; where that fails, fall back on the guess from the tilt.

    Parameters
    ----------
    fixed, moving : View
        Maps of two illuminations, tissue in both.
    search : Search
        How to search.
    bounds : dict of str to AtLeast or AtMost
        What to believe, by the names of `numbers_of`.

    Returns
    -------
    placed : Placed
        A failed gate in it says that the affine found was not believed.
    """
    known = foreshortening(moving.tilt_deg, fixed.tilt_deg)
    start = guess(_seen(fixed), _seen(moving), known)
    at_start = warped_view(moving, start, fixed.valid.shape, 0.0)
    try:
        found = align(fixed.image, moving.image, start, **vars(search))
    except EstimateError as error:
        log.warning("%s to %s: %s", moving.name, fixed.name, error)
        lost = Gate(name=f"{moving.name}_registration", verdict="fail", value=None, bound=0)
        seen = seen_fraction(fixed, at_start)
        guessed = Alignment(start, 0.0, 0.0)
        return Placed(at_start, at_start, guessed, shape_of(start, known), seen, {}, [lost])
    shape = shape_of(found.matrix, known)
    view = warped_view(moving, found.matrix, fixed.valid.shape, shape.rotation_deg)
    numbers = numbers_of(fixed, view, found, shape)
    gates = judged_view(moving.name, numbers, bounds)
    seen = seen_fraction(fixed, view)
    placed = Placed(view, at_start, found, shape, seen, numbers, gates)
    if placed.trusted:
        return placed
    information = found.start_mutual_information
    guessed = Alignment(start, information, information)
    return replace(placed, view=at_start, alignment=guessed)


def numbers_of(fixed: View, view: View, found: Alignment, shape: Shape) -> Numbers:
    """Return what an affine is judged by.

    Parameters
    ----------
    fixed, view : View
        The fixed view, and the moving one on its pixels.
    found : Alignment
        The affine and the mutual information.
    shape : Shape
        What the affine does.

    Returns
    -------
    numbers : dict of str to float or None
        `overlap_fraction`, `rotation_deg` (its size), `stretch_fraction`, `information_gain_nats`,
        `residual_px`, `recognised_fraction`, but for maps too small to tell; None is what could not
        be measured.
    """
    patches = agreement(fixed.image, view.image)
    return {
        "overlap_fraction": seen_fraction(fixed, view),
        "rotation_deg": abs(shape.rotation_deg),
        "stretch_fraction": shape.stretch_fraction,
        "information_gain_nats": found.mutual_information - found.start_mutual_information,
        **(vars(patches) if patches.recognised_fraction is not None else {}),
    }


def judged_view(name: str, numbers: Numbers, bounds: Mapping[str, Bound]) -> list[Gate]:
    """Hold the numbers of a view against their bounds, under its name.

    Examples
    --------
    >>> from octflow.core.gates import AtMost
    >>> bounds = {"rotation_deg": AtMost(warn=4, fail=5)}
    >>> [gate] = judged_view("tilted", {"rotation_deg": 7.0}, bounds)
    >>> gate.name, gate.verdict
    ('tilted_rotation_deg', 'fail')
    """
    gates = judged(numbers, bounds)
    return [gate.model_copy(update={"name": f"{name}_{gate.name}"}) for gate in gates]


def _seen(view: View) -> Mask:
    """Return where a view holds something to be compared, or else tissue."""
    seen = np.isfinite(view.image)
    return seen if seen.any() else view.valid
