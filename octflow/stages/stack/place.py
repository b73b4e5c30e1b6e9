"""Where slices lie in the frame of the stack."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.motion import Motion

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Place:
    """How a slice is laid into the frame of the stack, and how its brightness is evened.

    What lies at pixel p of the frame lies at motion(p + displacement(p)) in the slice.

    Examples
    --------
    >>> at_x, at_y = Place(Motion((0.5, -1.0))).over(slice(0, 1), slice(4, 6))
    >>> at_x.tolist(), at_y.tolist()
    ([[4.5, 5.5]], [[-1.0, -1.0]])
    """

    motion: Motion
    """The rigid part."""
    displacement: Displacement | None = None
    """What deforms the frame before; None where the slice is laid down as it is."""
    offset_db: float = 0.0
    """Added to the values of maps and volumes in dB."""

    @property
    def shift_only_px(self) -> tuple[float, float] | None:
        """The shift (x, y), if the slice is only shifted."""
        plain = self.displacement is None and self.motion.angle_deg == 0
        return self.motion.shift_px if plain else None

    def over(self, y: slice, x: slice) -> tuple[Floats, Floats]:
        """Return where in the slice the pixels of a part of the frame lie: x and y, (Y, X)."""
        at_x = np.arange(x.start, x.stop, dtype=float)[None]
        at_y = np.arange(y.start, y.stop, dtype=float)[:, None]
        if self.displacement is None:
            return self.motion.at(at_x, at_y)
        by_x, by_y = self.displacement.over(y, x)
        return self.motion.at(at_x + by_x, at_y + by_y)

    def turn_deg(self, y: slice, x: slice) -> float | NDArray[np.float32]:
        """Return by which angle directions turn from the frame to the slice, one or (Y, X)."""
        if self.displacement is None:
            return self.motion.angle_deg
        return self.displacement.turn_deg(y, x) + np.float32(self.motion.angle_deg)


@dataclass(frozen=True)
class Canvas:
    """The pixels of the stack in the frame of its first slice."""

    origin_px: tuple[int, int]
    """Frame position (x, y) of the first pixel."""
    shape: tuple[int, int]
    """Size (Y, X)."""

    def widened(self, step_px: int) -> "Canvas":
        """Return a canvas around it whose sides lie at multiples of a step.

        Examples
        --------
        >>> Canvas((-3, 0), (10, 23)).widened(16)
        Canvas(origin_px=(-16, 0), shape=(16, 48))
        """
        x, y = (origin // step_px * step_px for origin in self.origin_px)
        right, bottom = self.origin_px[0] + self.shape[1], self.origin_px[1] + self.shape[0]
        return Canvas(
            (x, y), (-(-bottom // step_px) * step_px - y, -(-right // step_px) * step_px - x)
        )


def canvas_of(shapes: Mapping[int, tuple[int, int]], places: Mapping[int, Place]) -> Canvas:
    """Return the smallest canvas that holds all moved slices, however they are deformed.

    Examples
    --------
    >>> canvas_of({1: (10, 20), 2: (10, 20)}, {1: Place(Motion()), 2: Place(Motion((1.5, -2.0)))})
    Canvas(origin_px=(-2, 0), shape=(12, 22))
    """
    sides = [_sides(places[i], *shape) for i, shape in shapes.items()]
    left, top = (math.floor(min(side)) for side in list(zip(*sides, strict=True))[:2])
    right, bottom = (math.ceil(max(side)) for side in list(zip(*sides, strict=True))[2:])
    return Canvas((left, top), (bottom - top, right - left))


def _sides(place: Place, n_y: int, n_x: int) -> tuple[float, float, float, float]:
    """Return how far a slice reaches in the frame: left, top, right, bottom."""
    x, y = place.motion.from_slice(np.array([0, n_x, 0, n_x]), np.array([0, 0, n_y, n_y]))
    by_x, by_y = (0.0, 0.0) if place.displacement is None else place.displacement.largest_px
    left, right = float(x.min() - by_x), float(x.max() + by_x)
    return left, float(y.min() - by_y), right, float(y.max() + by_y)
