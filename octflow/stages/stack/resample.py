"""Blocks of a slice as they lie after it was shifted and turned."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octflow.io.shard_reader import Source, read_into
from octflow.stages.stack.kernels import double, interpolate, undouble
from octflow.stages.stack.motion import turned
from octflow.stages.stack.place import Place

Floats = NDArray[np.float32]
Block = tuple[slice, slice, slice]

_MIN_SUPPORT = 0.5
"""Share of the interpolation weight that must come from pixels with a value."""
_DEPTHS = 32
"""Depths that are read and moved at a time: memory of this size is used again and again."""


def resampled_block(
    source: Source, where: Block, place: Place, *, axial: bool = False, in_db: bool = False
) -> Floats:
    """Return what a block shows of a moved slice, by linear interpolation in the plane.

    Parameters
    ----------
    source : (Z, Y, X) array
        The slice, NaN where it has no value.
    where : (3,) slices
        Block (z, y, x) of the frame with explicit bounds, which may reach beyond the source.
    place : Place
        Where in the source the pixels of the frame lie.
    axial : bool
        The values are axis angles in degrees that count from +x towards -y, as the instrument
        does: they turn against the slice.
    in_db : bool
        The values are in dB and are evened: the offset of the place is added.

    Returns
    -------
    block : (Z, Y, X) float32 array
        NaN where less than half of the weight comes from pixels with a value.

    Examples
    --------
    >>> from octflow.stages.stack.motion import Motion
    >>> line = np.arange(4.0, dtype=np.float32)[None, None]
    >>> block = (slice(0, 1), slice(0, 1), slice(-1, 3))
    >>> resampled_block(line, block, Place(Motion((0.25, 0.0))))[0, 0].tolist()
    [nan, 0.25, 1.25, 2.25]
    """
    block = np.empty([s.stop - s.start for s in where], np.float32)
    resample_block(source, where, place, block, axial=axial, in_db=in_db)
    return block


def resample_block(
    source: Source,
    where: Block,
    place: Place,
    block: Floats,
    *,
    axial: bool = False,
    in_db: bool = False,
) -> None:
    """Fill a block (Z, Y, X) as `resampled_block` does."""
    z, y, x = where
    around = None if _is_whole(place) else _neighbourhood(place, y, x)
    for start in range(0, len(block), _DEPTHS):
        part = block[start : start + _DEPTHS]
        depths = slice(z.start + start, z.start + start + len(part))
        if around is None:
            to_x, to_y = (int(shift) for shift in place.motion.shift_px)
            _read(source, (depths, _moved(y, to_y), _moved(x, to_x)), part)
        else:
            _interpolate(_box(source, (depths, *around.box)), around, part, axial=axial)
    if in_db and place.offset_db:
        block += np.float32(place.offset_db)


def resampled_axes(components: NDArray, where: Block, place: Place) -> Floats:
    """Return unit axes of a moved slice; their signs are made alike before they are mixed.

    Parameters
    ----------
    components : (3, Z, Y, X) array
        Unit vectors (x, y, z) of either sign in the frame of the slice, 0 where there is none.
    where, place
        As for `resampled_block`.

    Returns
    -------
    axes : (3, Z, Y, X) float32 array
        Unit vectors turned into the frame, 0 where there is none.
    """
    corners = [list(_corners(component, where, place)) for component in components]
    weights = [weight for weight, _ in corners[0]]
    fields = [np.nan_to_num(np.stack([c[i][1] for c in corners])) for i in range(len(weights))]
    nearest, heaviest = fields[0], weights[0]
    for weight, field in zip(weights[1:], fields[1:], strict=True):
        nearest = np.where(weight > heaviest, field, nearest)
        heaviest = np.maximum(weight, heaviest)
    total = np.zeros_like(nearest)
    for weight, field in zip(weights, fields, strict=True):
        sign = np.where(np.sum(field * nearest, axis=0) < 0, -1, 1)
        total += weight * sign.astype(np.float32) * field
    length = np.sqrt(np.sum(total**2, axis=0))
    there = (length > 0) & (np.abs(nearest).max(axis=0) > 0)
    axes = np.divide(total, length, out=np.zeros_like(total), where=there)
    axes[0], axes[1] = turned(axes[0], axes[1], -np.asarray(place.turn_deg(*where[1:])))
    return axes


def _is_whole(place: Place) -> bool:
    """Tell whether a slice is shifted by whole pixels, and that is all."""
    shift_px = place.shift_only_px
    return shift_px is not None and all(float(shift).is_integer() for shift in shift_px)


class _Around(NamedTuple):
    """Which pixels of a slice lie around those of a block."""

    first: NDArray[np.int32]
    """(Y, X) index in a box of the slice of the upper left one."""
    parts: Floats
    """(2, Y, X) part of a pixel, along y and along x, beyond it."""
    turn_deg: Floats
    """(Y, X) by which the slice is turned there."""
    box: tuple[slice, slice]
    """The box (y, x)."""


def _neighbourhood(place: Place, y: slice, x: slice) -> _Around:
    at_x, at_y = place.over(y, x)
    i_x, i_y = np.floor(at_x).astype(np.int32), np.floor(at_y).astype(np.int32)
    shape = (y.stop - y.start, x.stop - x.start)
    parts = np.empty((2, *shape), np.float32)
    parts[0], parts[1] = at_y - i_y, at_x - i_x
    box_y, box_x = (slice(int(i.min()), int(i.max()) + 2) for i in (i_y, i_x))
    first = (i_y - box_y.start) * (box_x.stop - box_x.start) + (i_x - box_x.start)
    turn = np.full(shape, place.turn_deg(y, x), np.float32)
    return _Around(np.broadcast_to(first, shape).astype(np.int32), parts, turn, (box_y, box_x))


def _interpolate(box: Floats, around: _Around, block: Floats, *, axial: bool) -> None:
    """Interpolate in a box; angles as doubled-angle vectors, turned with the slice."""
    if not axial:
        interpolate(box, around.first, around.parts, _MIN_SUPPORT, block)
        return
    cosines, sines, other = np.empty_like(box), np.empty_like(box), np.empty_like(block)
    double(box, cosines, sines)
    interpolate(cosines, around.first, around.parts, _MIN_SUPPORT, block)
    interpolate(sines, around.first, around.parts, _MIN_SUPPORT, other)
    undouble(block, other, around.turn_deg)


def _corners(
    source: Source, where: Block, place: Place
) -> Iterator[tuple[NDArray[np.float32], Floats]]:
    """Yield the weights, and the values, of the pixels around those of a block."""
    shift_px = place.shift_only_px
    if shift_px is not None:
        return _shifted_corners(source, where, shift_px)
    return _turned_corners(source, where, place)


def _shifted_corners(
    source: Source, where: Block, shift_px: tuple[float, float]
) -> Iterator[tuple[NDArray[np.float32], Floats]]:
    """Yield the blocks of whole pixels around the shifted one: one weight for all of a block."""
    z, y, x = where
    to_x, to_y = (int(np.floor(shift)) for shift in shift_px)
    n_y, n_x = y.stop - y.start, x.stop - x.start
    block = _box(source, (z, _grown(_moved(y, to_y)), _grown(_moved(x, to_x))))
    for weight_y, by_y in _neighbours(shift_px[1] - to_y):
        for weight_x, by_x in _neighbours(shift_px[0] - to_x):
            corner = block[:, by_y : by_y + n_y, by_x : by_x + n_x]
            yield np.asarray(weight_y * weight_x, np.float32), corner


def _turned_corners(
    source: Source, where: Block, place: Place
) -> Iterator[tuple[NDArray[np.float32], Floats]]:
    """Yield the four pixels around every one of a block: weights (Y, X)."""
    z, y, x = where
    at_x, at_y = place.over(y, x)
    i_x, i_y = np.floor(at_x).astype(np.int64), np.floor(at_y).astype(np.int64)
    part_x, part_y = (at_x - i_x).astype(np.float32), (at_y - i_y).astype(np.float32)
    box_y, box_x = (slice(int(i.min()), int(i.max()) + 2) for i in (i_y, i_x))
    block = _box(source, (z, box_y, box_x))
    n_z, _, n_x = block.shape
    flat, first = block.reshape(n_z, -1), (i_y - box_y.start) * n_x + (i_x - box_x.start)
    for by_y, weight_y in ((0, 1 - part_y), (1, part_y)):
        for by_x, weight_x in ((0, 1 - part_x), (1, part_x)):
            yield weight_y * weight_x, flat.take(first + (by_y * n_x + by_x), axis=1)


def _neighbours(part: float) -> list[tuple[float, int]]:
    """Return weights and offsets of the pixels around a fraction; none of weight 0."""
    return [(weight, by) for weight, by in ((1 - part, 0), (part, 1)) if weight > 0]


def _moved(where: slice, by: int) -> slice:
    return slice(where.start + by, where.stop + by)


def _grown(where: slice) -> slice:
    return slice(where.start, where.stop + 1)


def _box(source: Source, where: Block) -> Floats:
    """Return a block of a source, NaN beyond it."""
    block = np.empty([s.stop - s.start for s in where], np.float32)
    _read(source, where, block)
    return block


def _read(source: Source, where: Block, block: Floats) -> None:
    """Fill a block from a source, with NaN beyond it."""
    inside = [
        slice(max(s.start, 0), min(s.stop, n)) for s, n in zip(where, source.shape, strict=True)
    ]
    if inside != list(where):
        block.fill(np.nan)
    if all(s.start < s.stop for s in inside):
        z, y, x = (_moved(i, -w.start) for i, w in zip(inside, where, strict=True))
        read_into(source, (inside[0], inside[1], inside[2]), block[z, y, x])
