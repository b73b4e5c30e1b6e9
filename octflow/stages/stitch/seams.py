"""How well neighbouring tiles agree where they overlap."""

from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import axis_difference
from octflow.core.mosaic import Along, Grid, Layout, neighbours
from octflow.stages.stitch.blend import Blended, Map

Region = tuple[slice, slice]

_FEWEST_PX = 100
"""Pixels below which a seam is not judged."""


@dataclass(frozen=True)
class Seam:
    """The difference of two neighbours in their overlap."""

    first: int
    """Tile with the smaller grid coordinate."""
    second: int
    """Its neighbour."""
    along: Along
    """Grid axis they are neighbours along."""
    where: Region
    """Pixels (y, x) of the mosaic that both reach."""
    n_px: int
    """Pixels judged: of tissue, under these two tiles alone."""
    rms: float
    """Root mean square of the difference, in the unit of the map."""
    ratio: float
    """The same over the median of all seams, which is the noise of two good tiles."""


def seam_difference(even: Map, odd: Map, *, axial: bool = False) -> Map:
    """Return the difference of neighbouring tiles where they overlap, NaN elsewhere."""
    return (axis_difference(even, odd) if axial else even - odd).astype(np.float32)


def checkerboard(even: Map, odd: Map, *, square_px: int = 8) -> Map:
    """Take alternate squares from the one and the other half where both have values.

    Structures that run through the squares unbroken are well aligned.
    """
    y, x = np.arange(even.shape[0])[:, None], np.arange(even.shape[1])
    first = (y // square_px + x // square_px) % 2 == 0
    return np.where(np.isnan(odd) | (first & ~np.isnan(even)), even, odd)


def find_seams(
    layout: Layout,
    grid: Grid,
    blended: Blended,
    judged: NDArray[np.bool_],
    *,
    axial: bool = False,
) -> list[Seam]:
    """Measure the difference of every two neighbours of the grid.

    Parameters
    ----------
    layout : Layout
        Where the tiles lie.
    grid : mapping of int to (grid_x, grid_y)
        Place of every tile.
    blended : Blended
        The halves of the mosaic.
    judged : (Y, X) bool array
        Pixels that count: of tissue, reached by two tiles.
    axial : bool
        The values are axis angles in degrees.

    Returns
    -------
    seams : list of Seam
        The worst first; without those of too few pixels.
    """
    reach = {tile: layout.placement(tile).where for tile in grid}
    measured = []
    for first, second, along in neighbours(grid):
        where = _common(reach[first], reach[second])
        difference = seam_difference(blended.even[where], blended.odd[where], axial=axial)
        values = difference[judged[where] & np.isfinite(difference)]
        if values.size >= _FEWEST_PX:
            rms = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
            measured.append((first, second, along, where, values.size, rms))
    noise = median(rms for *_, rms in measured) if measured else 0.0
    seams = [Seam(*one, one[-1] / noise if noise else 1.0) for one in measured]
    return sorted(seams, key=lambda seam: -seam.ratio)


def seam_rms(seams: list[Seam]) -> float | None:
    """Return the root mean square difference over all seams, None where there is none."""
    if not seams:
        return None
    squares = sum(seam.n_px * seam.rms**2 for seam in seams)
    return float(np.sqrt(squares / sum(seam.n_px for seam in seams)))


def _common(first: Region, second: Region) -> Region:
    """Return what two regions have in common; an empty region has equal ends."""
    starts = [max(a.start, b.start) for a, b in zip(first, second, strict=True)]
    stops = [min(a.stop, b.stop) for a, b in zip(first, second, strict=True)]
    y, x = (slice(a, max(a, b)) for a, b in zip(starts, stops, strict=True))
    return y, x
