"""How bright slices are against each other, and how that is evened."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octflow.stages.stack.place import Place
from octflow.stages.stack.steps import Step

Floats = NDArray[np.floating]

_SIDE_PX = 16
"""Side of the squares over which differences are averaged: noise and speckle go."""
_FEWEST = 20
"""Squares of common tissue below which nothing is said."""
_NEGLIGIBLE_DB = 0.05
"""Offsets below are none: slices of one brightness stay as they are, to the bit."""


def find_offset_db(first: Floats, second: Floats) -> float | None:
    """Return what is to be added to a slice so that it is as bright as another one.

    The median over squares of tissue of the mean difference: vessels, lesions and what one slice
    alone shows have no say.

    Parameters
    ----------
    first, second : (Y, X) arrays
        Maps in dB on the same pixels, NaN where there is no tissue.

    Returns
    -------
    offset_db : float or None
        None where too little tissue is seen in both.

    Examples
    --------
    >>> flat = np.full((80, 80), 70.0)
    >>> find_offset_db(flat, flat - 1.5), find_offset_db(flat[:8], flat[:8])
    (1.5, None)
    """
    n_y, n_x = (n // _SIDE_PX for n in first.shape)
    difference = (first - second)[: n_y * _SIDE_PX, : n_x * _SIDE_PX]
    squares = difference.reshape(n_y, _SIDE_PX, n_x, _SIDE_PX)
    count = np.isfinite(squares).sum(axis=(1, 3))
    total = np.nan_to_num(squares.astype(float)).sum(axis=(1, 3))
    well_seen = count >= _SIDE_PX**2 / 2
    if np.count_nonzero(well_seen) < _FEWEST:
        return None
    offset_db = float(np.median(total[well_seen] / count[well_seen]))
    return offset_db if abs(offset_db) >= _NEGLIGIBLE_DB else 0.0


def levelled(
    places: Mapping[int, Place], steps: Sequence[Step], *, fade: float, max_db: float
) -> dict[int, Place]:
    """Return the places with the offsets that even the brightness of the slices.

    The offset of a slice is `fade` times what it takes to be as bright as the one before is then:
    a drifting laser is evened, and the stack as a whole cannot drift from what was measured.

    Parameters
    ----------
    places : dict of int to Place
        By slice.
    steps : sequence of Step
        One for every slice but the first, in order.
    fade : float
        From 0 (slices stay as they are) to 1 (every slice is as bright as the first one).
    max_db : float
        Largest offset.

    Examples
    --------
    >>> from octflow.stages.stack.motion import Motion
    >>> steps = [Step(1, 2, Motion(), 0.9, True, offset_db=2.0)]
    >>> steps += [Step(2, 3, Motion(), 0.9, True, offset_db=-2.0)]
    >>> places = dict.fromkeys((1, 2, 3), Place(Motion()))
    >>> [round(p.offset_db, 3) for p in levelled(places, steps, fade=0.9, max_db=3).values()]
    [0.0, 1.8, -0.18]
    """
    offsets = dict.fromkeys(places, 0.0)
    for step in steps:
        if step.offset_db is not None:
            lacking = fade * (offsets[step.previous] + step.offset_db)
            offsets[step.slice_id] = min(max(lacking, -max_db), max_db)
    return {i: replace(place, offset_db=offsets[i]) for i, place in places.items()}
