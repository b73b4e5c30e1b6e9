"""How tiles lie in a mosaic, and how much each counts where they overlap.

Pixel p of a tile at position X lies at X + p of the mosaic. Positions are fractions of a pixel:
a tile is brought onto the pixels of the mosaic by linear interpolation.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Position = tuple[float, float]
Place = tuple[int, int]
Grid = Mapping[int, tuple[int, int]]
Along = Literal["x", "y"]

_STEPS: dict[Along, tuple[int, int]] = {"x": (1, 0), "y": (0, 1)}


@dataclass(frozen=True)
class Placement:
    """One tile on the pixels of the mosaic."""

    start_y: int
    """First pixel of the mosaic that the tile reaches, along y."""
    start_x: int
    """Likewise along x."""
    fraction_y: float
    """Part of a pixel, 0 to 1, that the tile lies beyond a pixel of the mosaic."""
    fraction_x: float
    """Likewise along x."""
    weight_y: NDArray[np.float32]
    """Weights along y; the weight of a pixel is the product over the axes."""
    weight_x: NDArray[np.float32]
    """Weights along x."""

    @property
    def where(self) -> tuple[slice, slice]:
        """Pixels (y, x) of the mosaic that the tile reaches."""
        return (
            slice(self.start_y, self.start_y + self.weight_y.size),
            slice(self.start_x, self.start_x + self.weight_x.size),
        )

    @property
    def weight(self) -> NDArray[np.float32]:
        """Weights (Y, X)."""
        return np.multiply.outer(self.weight_y, self.weight_x)


@dataclass(frozen=True)
class Layout:
    """Positions of the tiles of a mosaic, and the size they share."""

    positions_px: dict[int, Position]
    """Tile id to position (x, y) in the mosaic, none negative."""
    tile_shape: tuple[int, int]
    """Size (n_y, n_x) of every tile."""
    overlap_px: tuple[int, int]
    """Extent (y, x) over which the weight rises from the rim of a tile."""
    subpixel: bool = True
    """Place by linear interpolation; otherwise on the nearest pixel."""

    @property
    def shape(self) -> tuple[int, int]:
        """Size (n_y, n_x) of the mosaic that holds every tile."""
        x, y = (max(p[axis] for p in self.positions_px.values()) for axis in (0, 1))
        return (math.ceil(y + self.tile_shape[0]), math.ceil(x + self.tile_shape[1]))

    def counted(self, tiles: Iterable[int]) -> NDArray[np.uint8]:
        """Count the tiles (Y, X) among `tiles` that reach each pixel."""
        count = np.zeros(self.shape, np.uint8)
        for tile in tiles:
            count[self.placement(tile).where] += 1
        return count

    def placement(self, tile: int) -> Placement:
        """Say where a tile lies and how much each of its pixels counts."""
        x, y = self.positions_px[tile]
        start_y, fraction_y, weight_y = self._along(y, 0)
        start_x, fraction_x, weight_x = self._along(x, 1)
        return Placement(start_y, start_x, fraction_y, fraction_x, weight_y, weight_x)

    def _along(self, position: float, axis: int) -> tuple[int, float, NDArray[np.float32]]:
        size = self.tile_shape[axis]
        whole = math.floor(position) if self.subpixel else math.floor(position + 0.5)
        fraction = position - whole if self.subpixel else 0.0
        first = 1 if fraction else 0
        local_px = np.arange(first, size) - fraction
        weight = ramp_weight(local_px, size, self.overlap_px[axis])
        return whole + first, fraction, weight


def ramp_weight(local_px: Floats, size: int, overlap_px: int) -> NDArray[np.float32]:
    """Return the weight along one axis: (k + 1) / (r + 1) over the overlap r, at both ends.

    Parameters
    ----------
    local_px : (N,) array
        Positions within the tile, fractions of a pixel allowed.
    size : int
        Pixels of the tile along the axis.
    overlap_px : int
        Overlap r with the neighbour.

    Examples
    --------
    >>> ramp_weight(np.arange(5.0), 5, 1).tolist()
    [0.5, 1.0, 1.0, 1.0, 0.5]
    """
    end_px = np.minimum(local_px + 1, size - local_px)
    return np.minimum(end_px / (overlap_px + 1), 1).astype(np.float32)


def resampled(tile: Floats, placement: Placement) -> Floats:
    """Interpolate a tile linearly at the pixels of the mosaic.

    Parameters
    ----------
    tile : (..., Y, X) array
        NaN where there is no value; what touches such a pixel has no value either.
    placement : Placement
        Where the tile lies.

    Returns
    -------
    shifted : (..., Y', X') array
        One pixel smaller along an axis with a fractional position.
    """
    shifted = tile
    if fraction := placement.fraction_y:
        before, after = shifted[..., :-1, :], shifted[..., 1:, :]
        shifted = after + (before - after) * tile.dtype.type(fraction)
    if fraction := placement.fraction_x:
        before, after = shifted[..., :-1], shifted[..., 1:]
        shifted = after + (before - after) * tile.dtype.type(fraction)
    return shifted


def extended(known: Mapping[Place, Position], places: Iterable[Place]) -> dict[Place, Position]:
    """Return the positions of grid places; those not known lie on the lattice of those that are.

    Parameters
    ----------
    known : dict of (x, y) to (x, y) in px
        Positions by place in the grid.
    places : iterable of (x, y)
        Places wanted.

    Returns
    -------
    positions : dict of (x, y) to (x, y) in px
        All shifted alike where one were negative.

    Raises
    ------
    ValueError
        The known places do not determine a lattice along an axis that is wanted.

    Examples
    --------
    >>> known = {(0, 0): (0.0, 0.0), (0, 1): (1.0, 50.0), (1, 0): (40.0, 2.0)}
    >>> {place: tuple(map(float, np.round(p, 6))) for place, p in
    ...     extended(known, [(1, 0), (2, 0)]).items()}
    {(1, 0): (40.0, 2.0), (2, 0): (80.0, 4.0)}
    """
    wanted = list(places)
    positions = {place: known[place] for place in wanted if place in known}
    if unknown := [place for place in wanted if place not in known]:
        at = _with_one(known)
        steps, _, rank, _ = np.linalg.lstsq(at, np.array(list(known.values())))
        if rank < np.linalg.matrix_rank(np.vstack([at, _with_one(unknown)])):
            raise ValueError(f"places {sorted(known)} do not tell where {unknown[0]} lies")
        found = _with_one(unknown) @ steps
        positions |= {p: (float(x), float(y)) for p, (x, y) in zip(unknown, found, strict=True)}
    low_x, low_y = (min(0.0, *(p[axis] for p in positions.values())) for axis in (0, 1))
    return {place: (positions[place][0] - low_x, positions[place][1] - low_y) for place in wanted}


def _with_one(places: Iterable[Place]) -> Floats:
    return np.array([(x, y, 1.0) for x, y in places])


def neighbours(grid: Grid) -> list[tuple[int, int, Along]]:
    """List the pairs of tiles that are neighbours in the grid.

    Examples
    --------
    >>> neighbours({1: (0, 0), 2: (0, 1), 3: (1, 0)})
    [(1, 3, 'x'), (1, 2, 'y')]
    """
    tile_at = {place: tile for tile, place in grid.items()}
    pairs: list[tuple[int, int, Along]] = []
    for tile, (x, y) in sorted(grid.items()):
        for along, (step_x, step_y) in _STEPS.items():
            if (other := tile_at.get((x + step_x, y + step_y))) is not None:
                pairs.append((tile, other, along))
    return pairs
