"""What the record of a stack tells of its steps, gaps and bounds."""

import numpy as np

from octflow.core.record import Gate, Product
from octflow.stages.stack.frame import Stack
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stack.steps import Step


def numbers_of(stack: Stack, steps: list[Step]) -> dict[str, float | int | str | None]:
    """Return the quality numbers of a stack."""
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
        "largest_offset_db": max(abs(p.offset_db) for p in stack.places.values()),
    }


def gates_of(steps: list[Step], settings: StackSettings) -> list[Gate]:
    """Return how far steps between slices are to be believed."""
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


def gaps_of(stack: Stack, settings: StackSettings) -> list[str]:
    """Name the slices that are lacking; those that nobody asked for are no reason to warn."""
    asked = stack.slices if settings.slices == "all" else sorted(settings.slices)
    return [f"slice {i}: not there, a gap" for i in asked if i not in stack.places]


def warnings_of(
    stack: Stack,
    steps: list[Step],
    products: dict[str, dict[int, Product]],
    settings: StackSettings,
) -> list[str]:
    """Name what was not believed, what was held back by a bound, and what is lacking."""
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
    uneven = [
        f"slice {i}: evened by all that equalise_max_db allows, {place.offset_db:+g} dB"
        for i, place in stack.places.items()
        if abs(place.offset_db) >= settings.equalise_max_db
    ]
    return unsure + torn + uneven + holes
