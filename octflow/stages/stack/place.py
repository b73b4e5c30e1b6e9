"""Where slices lie relative to each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as translate

from octflow.core.correlate import match
from octflow.core.texture import textured

Floats = NDArray[np.floating]

_REFINEMENTS = 6
_MAX_REFINEMENT_PX = 2.0
_MAX_CONDITION = 1e3
"""Of the normal equations: beyond, the structure runs along one direction only."""


@dataclass(frozen=True)
class Step:
    """From one slice to the next one that there is."""

    previous: int
    """Slice it was compared with."""
    slice_id: int
    """The slice."""
    shift_px: tuple[float, float]
    """(x, y): what lies at p in the previous slice lies at p + shift in this one."""
    correlation: float | None
    """Correlation of both at that shift; None where nothing could be compared."""
    trusted: bool
    """Whether the shift was believed; if not, it is 0."""


@dataclass(frozen=True)
class Canvas:
    """The pixels of the stack in the frame of its first slice."""

    origin_px: tuple[int, int]
    """Frame position (x, y) of the first pixel, not positive."""
    shape: tuple[int, int]
    """Size (Y, X)."""


def find_step(
    previous: tuple[int, Floats],
    current: tuple[int, Floats],
    *,
    search_px: int,
    band_px: tuple[float, float],
    min_correlation: float,
) -> Step:
    """Find how a slice is shifted against the one before.

    Parameters
    ----------
    previous, current : (int, (Y, X) array)
        Slice ids and maps, NaN where there is nothing; sizes may differ.
    search_px : int
        Largest shift.
    band_px : (2,) floats
        Gaussian sigmas between which structure is compared.
    min_correlation : float
        What a shift needs to be believed.

    Returns
    -------
    step : Step
        Without any shift where the best one is not believed.
    """
    first, second = _same_size(previous[1], current[1])
    found = match(first, second, search_px=search_px, band_px=band_px)
    if found is None or found.correlation < min_correlation:
        correlation = None if found is None else found.correlation
        return Step(previous[0], current[0], (0.0, 0.0), correlation, trusted=False)
    guess = (found.shift_x_px, found.shift_y_px)
    shift = refined(textured(first, band_px), textured(second, band_px), guess)
    return Step(previous[0], current[0], shift, found.correlation, trusted=True)


def refined(first: Floats, second: Floats, shift_px: tuple[float, float]) -> tuple[float, float]:
    """Improve a shift by least squares on the difference of two pictures (Gauss-Newton).

    The peak of a correlation as broad as the structure of tissue moves with the rim of what
    overlaps; the difference of the pictures does not.

    Parameters
    ----------
    first, second : (Y, X) array
        Texture, 0 where there is nothing.
    shift_px : (2,) floats
        First guess (x, y), right to a pixel or so.

    Returns
    -------
    shift_px : (2,) floats
        At most two pixels away from the guess; the guess where the texture does not tell.
    """
    shift = np.array(shift_px)
    for _ in range(_REFINEMENTS):
        moved = translate(second, -shift[::-1], order=3, mode="constant")
        both = (first != 0) & (moved != 0)
        slopes = np.stack([np.gradient(moved, axis=1)[both], np.gradient(moved, axis=0)[both]])
        normal = slopes @ slopes.T
        if both.sum() < 2 or np.linalg.cond(normal) > _MAX_CONDITION:
            return shift_px
        shift += np.linalg.solve(normal, slopes @ (first[both] - moved[both]))
    near = np.max(np.abs(shift - shift_px)) <= _MAX_REFINEMENT_PX
    return (float(shift[0]), float(shift[1])) if near else shift_px


def accumulated(
    first: int, steps: Sequence[Step], *, rounded: bool = False
) -> dict[int, tuple[float, float]]:
    """Add up steps: the shift (x, y) of every slice against the first one.

    Rounding comes after the sum, so that its error does not add up.

    Examples
    --------
    >>> steps = [Step(1, 2, (0.4, 1.0), 0.9, True), Step(2, 4, (0.4, -3.0), 0.9, True)]
    >>> accumulated(1, steps, rounded=True)
    {1: (0.0, 0.0), 2: (0.0, 1.0), 4: (1.0, -2.0)}
    """
    shifts = {first: (0.0, 0.0)}
    for step in steps:
        x, y = shifts[step.previous]
        shifts[step.slice_id] = (x + step.shift_px[0], y + step.shift_px[1])
    if not rounded:
        return shifts
    return {i: (float(np.rint(x)) + 0.0, float(np.rint(y)) + 0.0) for i, (x, y) in shifts.items()}


def canvas_of(
    shapes: Mapping[int, tuple[int, int]], shifts: Mapping[int, tuple[float, float]]
) -> Canvas:
    """Return the smallest canvas that holds all shifted slices.

    Examples
    --------
    >>> canvas_of({1: (10, 20), 2: (10, 20)}, {1: (0.0, 0.0), 2: (1.5, -2.0)})
    Canvas(origin_px=(-2, 0), shape=(12, 22))
    """
    left = math.floor(min(-shifts[i][0] for i in shapes))
    top = math.floor(min(-shifts[i][1] for i in shapes))
    right = math.ceil(max(shapes[i][1] - shifts[i][0] for i in shapes))
    bottom = math.ceil(max(shapes[i][0] - shifts[i][1] for i in shapes))
    return Canvas((left, top), (bottom - top, right - left))


def _same_size(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Pad at the far sides with NaN: both frames begin at their first pixel."""
    size = np.maximum(first.shape, second.shape)
    pads = [[(0, n - m) for n, m in zip(size, a.shape, strict=True)] for a in (first, second)]
    one, other = (
        np.pad(a.astype(np.float32), pad, constant_values=np.nan)
        for a, pad in zip((first, second), pads, strict=True)
    )
    return one, other
