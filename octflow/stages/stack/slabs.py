"""Slabs of tissue below each other, blended where one reaches into the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import doubled, undoubled

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """Depths of the slices of a stack."""

    thickness_px: float
    """Thickness of a slice in depth samples, not necessarily whole."""
    top_px: int
    """Depth in the volume of a slice at which its slab begins."""
    skirt_px: int
    """Depth by which a slab reaches into the next one."""

    def start(self, index: int) -> int:
        """Return the stack depth at which slab `index`, from 0, begins."""
        return round(index * self.thickness_px)

    def slabs_at(self, z: slice, n_slabs: int) -> list[int]:
        """Return the slabs that reach into a range of stack depths."""
        return [
            i
            for i in range(n_slabs)
            if self.start(i) < z.stop and z.start < self.start(i + 1) + self.skirt_px
        ]

    def depths_in(self, index: int, z: slice) -> slice:
        """Return where a range of stack depths lies in the volume of a slab."""
        by = self.top_px - self.start(index)
        return slice(z.start + by, z.stop + by)

    def weights(self, index: int, z: slice) -> Floats:
        """Return the weight of a slab at stack depths.

        It rises over the skirt of the slab above, and falls over its own: both add up to 1.

        Parameters
        ----------
        index : int
            Slab, from 0.
        z : slice
            Stack depths.

        Returns
        -------
        weights : (Z,) array
            From 0 to 1.

        Examples
        --------
        >>> layout = Layout(thickness_px=3, top_px=0, skirt_px=1)
        >>> [layout.weights(i, slice(0, 7)).tolist() for i in (0, 1)]
        [[0.5, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 0.5]]
        """
        depth = np.arange(z.start, z.stop)
        rise = (depth - self.start(index) + 1) / (self.skirt_px + 1)
        fall = 1 - (depth - self.start(index + 1) + 1) / (self.skirt_px + 1)
        return np.clip(np.minimum(rise, fall), 0, 1).astype(np.float32)


def blend_slabs(
    layout: Layout,
    slabs: Sequence[int],
    z: slice,
    block_of: Callable[[int, slice], Floats],
    *,
    axial: bool = False,
) -> Floats:
    """Blend the slabs of a range of stack depths.

    A slab that is missing, or has no value somewhere, leaves its weight to the others.

    Parameters
    ----------
    layout : Layout
        Depths of the slabs.
    slabs : sequence of int
        Slabs that there are, of those that reach into the range.
    z : slice
        Stack depths.
    block_of : callable
        Takes a slab and a range of depths in its volume, returns the block (Z, Y, X), NaN where
        there is no value.
    axial : bool
        The values are axis angles in degrees.

    Returns
    -------
    block : (Z, Y, X) float32 array
        NaN where no slab has a value.
    """
    n_z = z.stop - z.start
    pieces = [_piece(layout, slab, z, block_of) for slab in slabs]
    if len(pieces) == 1 and len(pieces[0].block) == n_z:
        return pieces[0].block
    blended = np.full((n_z, *pieces[0].block.shape[1:]), np.nan, np.float32)
    for depth in range(n_z):
        there = [p for p in pieces if p.first <= depth < p.first + len(p.block)]
        planes = [p.block[depth - p.first] for p in there]
        if len(there) == 1:
            blended[depth] = planes[0]
        elif there:
            weights = [p.weights[depth - p.first] for p in there]
            blended[depth] = _mean(planes, weights, axial=axial)
    return blended


class _Piece(NamedTuple):
    """What a slab gives to a range of depths."""

    first: int
    """Depth in the range at which it begins."""
    weights: Floats
    """(Z,) all above 0."""
    block: Floats
    """(Z, Y, X)."""


def _piece(layout: Layout, slab: int, z: slice, block_of: Callable[[int, slice], Floats]) -> _Piece:
    """Read the depths at which a slab has weight."""
    weights = layout.weights(slab, z)
    first, last = np.flatnonzero(weights > 0)[[0, -1]]
    there = slice(z.start + int(first), z.start + int(last) + 1)
    block = block_of(slab, layout.depths_in(slab, there))
    return _Piece(int(first), weights[first : last + 1], block)


def _mean(planes: Sequence[Floats], weights: Sequence[np.float32], *, axial: bool) -> Floats:
    """Average planes (Y, X) over those that have a value."""
    shares = [weight * np.isfinite(plane) for weight, plane in zip(weights, planes, strict=True)]
    total = np.sum(shares, axis=0)
    parts = zip(*(doubled(p) if axial else (p,) for p in map(np.nan_to_num, planes)), strict=True)
    sums = [sum(s * p for s, p in zip(shares, part, strict=True)) for part in parts]
    means = [np.divide(s, total, out=np.full_like(total, np.nan), where=total > 0) for s in sums]
    return undoubled(*means).astype(np.float32) if axial else means[0]
