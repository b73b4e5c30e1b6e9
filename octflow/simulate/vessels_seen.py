"""Where vessels appear in a volume, beside where the graph has them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octflow.simulate.fields import Floats

_STEPS = 50
"""Most steps towards the middle of what is dark."""


@dataclass(frozen=True)
class Seen:
    """A vessel in some planes of a volume."""

    off_px: tuple[float, float]
    """(x, y) of its middle against the graph."""
    contrast_db: float
    """Mean inside against the mean around; vessels are dark."""

    def jump_px(self, other: "Seen") -> float:
        """Return how far apart two planes show the vessel, the graph's own course taken out."""
        return float(np.hypot(*np.subtract(other.off_px, self.off_px)))


def seen_vessel(
    volume: NDArray[np.float32],
    planes: Sequence[int],
    position_px: Callable[[int], tuple[float, float]],
    radius_px: float,
) -> Seen:
    """Find a dark vessel near its place, averaged over planes along its course.

    The middle of what is darker than half way is looked for around the place, then around the
    middle found, until it stays: so it is not drawn towards where it should be.

    Parameters
    ----------
    volume : (Z, Y, X) array
        Intensity in dB.
    planes : sequence of int
        Depths that are averaged, each shifted to the vessel's place there.
    position_px : callable
        Takes a depth, returns the place (x, y) of the axis in px of the volume.
    radius_px : float
        Radius of the vessel.
    """
    reach = int(np.ceil(4 * radius_px))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    patch = np.mean([_around(volume[z], position_px(z), dx, dy) for z in planes], axis=0)
    around = float(np.nanmedian(patch))
    inside = float(np.nanmean(patch[np.hypot(dx, dy) < radius_px / 2]))
    dark = np.nan_to_num(np.clip((around + inside) / 2 - patch, 0, None))
    middle = _middle(dark, dx, dy, 2 * radius_px)
    gap = np.hypot(dx - middle[0], dy - middle[1])
    rim = (gap > 1.8 * radius_px) & (gap < 2.6 * radius_px)
    contrast = np.nanmean(patch[gap < 0.7 * radius_px]) - np.nanmean(patch[rim])
    return Seen(middle, float(contrast))


def _around(plane: Floats, at: tuple[float, float], dx: Floats, dy: Floats) -> Floats:
    return map_coordinates(plane, [at[1] + dy, at[0] + dx], order=1, cval=np.nan)


def _middle(dark: Floats, dx: Floats, dy: Floats, window_px: float) -> tuple[float, float]:
    """Move a round window to the middle of what it sees, until it is there."""
    x = y = 0.0
    for _ in range(_STEPS):
        weight = dark * (np.hypot(dx - x, dy - y) < window_px)
        total = float(weight.sum())
        if total == 0:
            break
        before = (x, y)
        x, y = float((weight * dx).sum() / total), float((weight * dy).sum() / total)
        if np.hypot(x - before[0], y - before[1]) < 1e-3:
            break
    return x, y
