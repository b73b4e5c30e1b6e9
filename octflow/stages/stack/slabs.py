"""Slabs of tissue below each other, blended where one reaches into the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from octflow.stages.stack.kernels import add_weighted, double, normalise, undouble

Floats = NDArray[np.float32]
Fill = Callable[[int, slice, Floats], None]


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
    fill: Fill,
    blended: Floats,
    *,
    axial: bool = False,
) -> Floats:
    """Blend the slabs of a range of stack depths.

    A slab that is missing, or has no value somewhere, leaves its weight to the others. No more is
    asked of a slab than the depths at which it has weight.

    Parameters
    ----------
    layout : Layout
        Depths of the slabs.
    slabs : sequence of int
        Slabs that there are, of those that reach into the range.
    z : slice
        Stack depths.
    fill : callable
        Takes a slab, a range of depths in its volume and a block (Z, Y, X), and fills the block;
        NaN where there is no value.
    blended : (Z, Y, X) float32 array
        Where it is blended; NaN where no slab has a value.
    axial : bool
        The values are axis angles in degrees.

    Returns
    -------
    blended : (Z, Y, X) float32 array
        The same array.
    """
    weights = {slab: layout.weights(slab, z) for slab in slabs}
    mix = _mix_axial if axial else _mix
    for there, depths in groupby(
        range(len(blended)), key=lambda depth: [i for i in slabs if weights[i][depth] > 0]
    ):
        run = list(depths)
        stop = run[-1] + 1
        part, where = blended[run[0] : stop], slice(z.start + run[0], z.start + stop)
        if not there:
            part.fill(np.nan)
        elif len(there) == 1:
            fill(there[0], layout.depths_in(there[0], where), part)
        else:
            blocks = [np.empty_like(part) for _ in there]
            for slab, block in zip(there, blocks, strict=True):
                fill(slab, layout.depths_in(slab, where), block)
            shares = [weights[slab][run[0] : stop] for slab in there]
            mix(blocks, shares, part)
    return blended


def _mix(blocks: Sequence[Floats], weights: Sequence[Floats], mixed: Floats) -> None:
    """Average blocks (Z, Y, X), weighted by depth, over those that have a value."""
    total = np.zeros_like(mixed)
    mixed.fill(0)
    for block, weight in zip(blocks, weights, strict=True):
        add_weighted(block, weight, mixed, total)
    normalise(mixed, total)


def _mix_axial(blocks: Sequence[Floats], weights: Sequence[Floats], mixed: Floats) -> None:
    """Do so with axis angles, as doubled-angle vectors."""
    vectors = [(np.empty_like(mixed), np.empty_like(mixed)) for _ in blocks]
    for block, (cosines, sines) in zip(blocks, vectors, strict=True):
        double(block, cosines, sines)
    other = np.empty_like(mixed)
    for part, out in zip(zip(*vectors, strict=True), (mixed, other), strict=True):
        _mix(part, weights, out)
    undouble(mixed, other, np.zeros(mixed.shape[1:], np.float32))
