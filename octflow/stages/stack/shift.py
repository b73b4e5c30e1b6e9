"""Blocks of a slice as they lie after a shift by fractions of a pixel."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import doubled, undoubled

Floats = NDArray[np.float32]

_MIN_SUPPORT = 0.5
"""Share of the interpolation weight that must come from pixels with a value."""


class Source(Protocol):
    """An array (Z, Y, X), in memory or on disk, that is read by slicing."""

    shape: tuple[int, ...]

    def __getitem__(self, where: tuple[slice, slice, slice], /) -> Any:  # noqa: ANN401
        """Read a block; Zarr's arrays promise less than the array it is."""


def shifted_block(
    source: Source,
    where: tuple[slice, slice, slice],
    shift_px: tuple[float, float],
    *,
    axial: bool = False,
) -> Floats:
    """Return what a block shows of a shifted slice, by linear interpolation in the plane.

    Parameters
    ----------
    source : (Z, Y, X) array
        The slice, NaN where it has no value.
    where : (3,) slices
        Block (z, y, x) with explicit bounds, which may reach beyond the source.
    shift_px : (2,) floats
        (x, y): pixel p of the block shows pixel p + shift of the source.
    axial : bool
        The values are axis angles in degrees.

    Returns
    -------
    block : (Z, Y, X) float32 array
        NaN where less than half of the weight comes from pixels with a value.

    Examples
    --------
    >>> line = np.arange(4.0, dtype=np.float32)[None, None]
    >>> shifted_block(line, (slice(0, 1), slice(0, 1), slice(-1, 3)), (0.25, 0))[0, 0].tolist()
    [nan, 0.25, 1.25, 2.25]
    """
    if axial:
        cos_2a, sin_2a = _interpolated(source, where, shift_px, doubled)
        return undoubled(cos_2a, sin_2a).astype(np.float32)
    plain = _interpolated(source, where, shift_px, lambda block: (block,))[0]
    return plain.astype(np.float32, copy=False)


def shifted_axes(
    components: NDArray, where: tuple[slice, slice, slice], shift_px: tuple[float, float]
) -> Floats:
    """Return unit axes of a shifted slice; their signs are made alike before they are mixed.

    Parameters
    ----------
    components : (3, Z, Y, X) array
        Unit vectors of either sign, 0 where there is none.
    where, shift_px
        As for `shifted_block`.

    Returns
    -------
    axes : (3, Z, Y, X) float32 array
        Unit vectors, 0 where there is none.
    """
    corners = [
        (weight, np.stack([np.nan_to_num(_read(c, corner)) for c in components]))
        for weight, corner in _corners(where, shift_px)
    ]
    nearest = max(corners, key=lambda corner: corner[0])[1]
    total = np.zeros_like(nearest)
    for weight, vectors in corners:
        sign = np.where(np.sum(vectors * nearest, axis=0) < 0, -1, 1)
        total += np.float32(weight) * sign.astype(np.float32) * vectors
    length = np.sqrt(np.sum(total**2, axis=0))
    there = (length > 0) & (np.abs(nearest).max(axis=0) > 0)
    return np.divide(total, length, out=np.zeros_like(total), where=there)


def _interpolated(
    source: Source,
    where: tuple[slice, slice, slice],
    shift_px: tuple[float, float],
    planes_of: Callable[[Floats], tuple[NDArray, ...]],
) -> list[NDArray]:
    """Average planes, made of each block of whole pixels, over what has a value."""
    sums: list[NDArray] = []
    support = np.zeros([s.stop - s.start for s in where], np.float32)
    for weight, corner in _corners(where, shift_px):
        block = _read(source, corner)
        share = np.where(np.isfinite(block), np.float32(weight), np.float32(0))
        planes: list[NDArray] = [share * plane for plane in planes_of(np.nan_to_num(block))]
        sums = [a + b for a, b in zip(sums, planes, strict=True)] if sums else planes
        support += share
    enough = support >= _MIN_SUPPORT
    divisor = np.where(enough, support, np.float32(np.nan))
    return [plane / divisor for plane in sums]


def _corners(
    where: tuple[slice, slice, slice], shift_px: tuple[float, float]
) -> Iterator[tuple[float, tuple[slice, slice, slice]]]:
    """Yield the blocks of whole pixels around the shifted one, and their weights."""
    z, y, x = where
    for weight_y, by_y in _neighbours(shift_px[1]):
        for weight_x, by_x in _neighbours(shift_px[0]):
            yield weight_y * weight_x, (z, _moved(y, by_y), _moved(x, by_x))


def _neighbours(shift: float) -> list[tuple[float, int]]:
    below = int(np.floor(shift))
    part = shift - below
    return [(w, by) for w, by in ((1 - part, below), (part, below + 1)) if w > 0]


def _moved(where: slice, by: int) -> slice:
    return slice(where.start + by, where.stop + by)


def _read(source: Source, where: tuple[slice, slice, slice]) -> Floats:
    """Read a block, NaN where it lies beyond the source."""
    block = np.full([s.stop - s.start for s in where], np.nan, np.float32)
    inside = [
        slice(max(s.start, 0), min(s.stop, n)) for s, n in zip(where, source.shape, strict=True)
    ]
    if all(s.start < s.stop for s in inside):
        target = tuple(_moved(i, -w.start) for i, w in zip(inside, where, strict=True))
        block[target] = source[inside[0], inside[1], inside[2]]
    return block
