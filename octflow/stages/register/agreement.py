"""How well registered maps agree place by place: what one affine leaves, and whether it fits."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.core.correlate import match

Floats = NDArray[np.floating]

_PATCHES = 4
"""Patches along the shorter side of the maps."""
_PATCH_PX, _REACH_PX = (64, 256), 16
"""Least and largest side of a patch, and how far it is searched for, on the lattice."""
_FEWEST = 8
"""Patches of tissue below which nothing is said: chance would decide."""
_LATTICE_PX = 2_000_000
"""Most pixels that are looked at."""
_BAND_PX = (1.2, 3.0)
"""Sizes of what is compared: bundles, not noise."""
_TRUSTED = 5.0
"""Height of a correlation peak, in robust standard deviations; by chance it is 3 to 4."""


@dataclass(frozen=True)
class Agreement:
    """What patches of two maps on the same pixels tell."""

    residual_px: float | None
    """Root mean square shift of the patches that are recognised; None where none is."""
    recognised_fraction: float | None
    """Part of the patches of tissue recognised near their place; None where there are too few."""


def agreement(fixed: Floats, moving: Floats) -> Agreement:
    """Look for every patch of the fixed map in the moving one, near its place.

    An affine that is right leaves patches where they are. One that is wrong, or maps of different
    things, leave patches that are shifted or not found at all, however good their mutual
    information: outlines alone can raise that.

    Parameters
    ----------
    fixed, moving : (Y, X) arrays
        Maps on the same pixels; NaN where they hold nothing.

    Returns
    -------
    agreement : Agreement
        In pixels of the maps.

    Examples
    --------
    >>> field = np.random.default_rng(0).normal(size=(256, 256))
    >>> agreement(field, field).recognised_fraction
    1.0
    """
    step_px = max(1, math.ceil(math.sqrt(fixed.size / _LATTICE_PX)))
    one, other = fixed[::step_px, ::step_px], moving[::step_px, ::step_px]
    side = min(max(min(one.shape) // _PATCHES, _PATCH_PX[0]), _PATCH_PX[1])
    shifts = [
        _squared_shift(one[box], other[box])
        for box in _boxes(one.shape, side)
        if np.isfinite(one[box] + other[box]).mean() > 0.5
    ]
    recognised = [shift for shift in shifts if shift is not None]
    if len(shifts) < _FEWEST:
        return Agreement(None, None)
    return Agreement(
        residual_px=step_px * math.sqrt(np.mean(recognised)) if recognised else None,
        recognised_fraction=len(recognised) / len(shifts),
    )


def _boxes(shape: tuple[int, ...], side: int) -> list[tuple[slice, slice]]:
    """Return squares side by side that fill the middle of a map."""
    starts = [range((n % side) // 2, n - side + 1, side) for n in shape]
    return [(slice(y, y + side), slice(x, x + side)) for y in starts[0] for x in starts[1]]


def _squared_shift(first: Floats, second: Floats) -> float | None:
    """Return the squared length of the shift; None where the patch is not recognised."""
    reach = min(_REACH_PX, first.shape[0] // 4)
    found = match(first, second, search_px=reach, band_px=_BAND_PX)
    if found is None or found.confidence < _TRUSTED:
        return None
    return found.shift_x_px**2 + found.shift_y_px**2
