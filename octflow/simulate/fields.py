"""Smooth random fields of continuous coordinates, and the random streams they are drawn from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
_STEEPNESS = 0.75  # so that the field comes near -1 and 1 without sticking to them


def stream(*key: int) -> np.random.Generator:
    """Return the random generator of a key: same key, same numbers, whatever was drawn before.

    Parameters
    ----------
    key : int
        Non-negative numbers: the seed, what is drawn, where.

    Examples
    --------
    >>> stream(1, 2).random() == stream(1, 2).random() != stream(1, 3).random()
    True
    """
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


@dataclass(frozen=True)
class Waves:
    """A sum of plane waves in (x, y, slice), squeezed into -1 to 1."""

    frequency: Floats
    """(N, 3), cycles per px, per px, per slice."""
    phase: Floats
    """(N,), cycles."""

    def at(self, x: Floats, y: Floats, slice_id: int) -> Floats:
        """Return the field at sample positions in px."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        for (f_x, f_y, f_s), phase in zip(self.frequency, self.phase, strict=True):
            total += np.cos(2 * np.pi * (f_x * x + f_y * y + f_s * slice_id + phase))
        field: Floats = np.tanh(_STEEPNESS * total * np.sqrt(2 / len(self.phase)))
        return field


def draw_waves(
    rng: np.random.Generator, extent_px: float, *, cycles: float, n_waves: int = 5
) -> Waves:
    """Draw a field with about `cycles` waves over an extent, drifting slowly over the slices.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    extent_px : float
        Extent of the sample.
    cycles : float
        Largest number of waves over the extent.
    n_waves : int
        Plane waves summed.

    Returns
    -------
    waves : Waves
        The field.
    """
    turn = rng.uniform(0, 2 * np.pi, n_waves)
    count = rng.uniform(0.4, 1.0, n_waves) * cycles / extent_px
    drift = rng.uniform(-0.05, 0.05, n_waves)
    frequency = np.stack([count * np.cos(turn), count * np.sin(turn), drift], axis=1)
    return Waves(frequency=frequency, phase=rng.uniform(0, 1, n_waves))
