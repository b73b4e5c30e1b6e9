"""Place a moving view on the fixed one, and judge whether that can be believed."""

import logging
from dataclasses import dataclass

import numpy as np

from octflow.core.errors import EstimateError
from octflow.core.record import Gate
from octflow.stages.register.align import Alignment, Shape, align, foreshortening, guess, shape_of
from octflow.stages.register.fibres import View, seen_fraction, warped_view

log = logging.getLogger(__name__)

_LEAST_GAIN_NATS = -0.01
"""A good guess cannot be improved, and the last step of a descent may overshoot a little."""


@dataclass(frozen=True)
class Search:
    """How an affine is searched for; see `align`."""

    smoothing_px: float = 2.0
    bins: int = 32
    levels: int = 3
    iterations: int = 200
    largest_level_px: int = 2_000_000


@dataclass(frozen=True)
class Bounds:
    """What an affine must keep to, to be used."""

    min_overlap_fraction: float = 0.5
    """Least part of the tissue that both views see."""
    max_rotation_deg: float = 5.0
    """Largest rotation."""
    max_stretch_fraction: float = 0.1
    """Largest scale or shear beyond the foreshortening."""


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
    gates: list[Gate]
    """Judgements of what was found."""

    @property
    def trusted(self) -> bool:
        """Whether the affine that was found is the one used; else it is the guess."""
        return all(gate.verdict != "fail" for gate in self.gates)


def place(fixed: View, moving: View, search: Search, bounds: Bounds) -> Placed:
    """Register a moving view; where that fails, fall back on the guess from the tilt.

    Parameters
    ----------
    fixed, moving : View
        Maps of two illuminations.
    search : Search
        How to search.
    bounds : Bounds
        What to believe.

    Returns
    -------
    placed : Placed
        A failed gate in it says that the affine found was not believed.
    """
    known = foreshortening(moving.tilt_deg, fixed.tilt_deg)
    start = guess(np.isfinite(fixed.image), np.isfinite(moving.image), known)
    at_start = warped_view(moving, start, fixed.valid.shape, 0.0)
    try:
        found = align(fixed.image, moving.image, start, **vars(search))
    except EstimateError as error:
        log.warning("%s to %s: %s", moving.name, fixed.name, error)
        lost = Gate(name=f"{moving.name}_registration", verdict="fail", value=None, bound=0)
        seen = seen_fraction(fixed, at_start)
        guessed = Alignment(start, 0.0, 0.0)
        return Placed(at_start, at_start, guessed, shape_of(start, known), seen, [lost])
    shape = shape_of(found.matrix, known)
    view = warped_view(moving, found.matrix, fixed.valid.shape, shape.rotation_deg)
    seen = seen_fraction(fixed, view)
    gain = found.mutual_information - found.start_mutual_information
    gates = judged(shape, seen, gain, bounds=bounds, name=moving.name)
    placed = Placed(view, at_start, found, shape, seen, gates)
    if placed.trusted:
        return placed
    agreement = found.start_mutual_information
    return Placed(at_start, at_start, Alignment(start, agreement, agreement), shape, seen, gates)


def judged(
    shape: Shape, overlap_fraction: float, gain: float, *, bounds: Bounds, name: str
) -> list[Gate]:
    """Hold an affine against what is possible.

    Parameters
    ----------
    shape : Shape
        Rotation and stretch of the affine.
    overlap_fraction : float
        Tissue seen by both views.
    gain : float
        Mutual information after registration less before it, in nats.
    bounds : Bounds
        What to believe.
    name : str
        Illumination, named in every gate.

    Returns
    -------
    gates : list of Gate
        Any that failed means that the affine must not be used.

    Examples
    --------
    >>> gates = judged(Shape(7.0, 0.0, 1.0), 0.9, 0.2, bounds=Bounds(), name="tilted")
    >>> [gate.verdict for gate in gates]
    ['pass', 'fail', 'pass', 'pass']
    """

    def gate(what: str, value: float, bound: float, *, good: bool) -> Gate:
        return Gate(
            name=f"{name}_{what}", verdict="pass" if good else "fail", value=value, bound=bound
        )

    turn, stretch = abs(shape.rotation_deg), shape.stretch_fraction
    least = bounds.min_overlap_fraction
    return [
        gate("overlap_fraction", overlap_fraction, least, good=overlap_fraction >= least),
        gate("rotation_deg", turn, bounds.max_rotation_deg, good=turn <= bounds.max_rotation_deg),
        gate(
            "stretch_fraction",
            stretch,
            bounds.max_stretch_fraction,
            good=stretch <= bounds.max_stretch_fraction,
        ),
        gate("information_gain_nats", gain, _LEAST_GAIN_NATS, good=gain >= _LEAST_GAIN_NATS),
    ]
