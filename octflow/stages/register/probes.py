"""What a few columns of volumes tell of all: how the depths of two views lie, and the noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octflow.stages.register.oblique import Depths, fitted_depths, steepest_rise_px
from octflow.stages.register.sampling import Block, Source, box_of, read_padded, sampled
from octflow.stages.register.solid import Solid, columns

_N_COLUMNS = 16
"""Columns that are looked at, spread over the tissue."""


def probe_columns(shape: tuple[int, ...], seen: NDArray[np.bool_]) -> list[Block]:
    """Choose columns of whole depth that hold tissue.

    Parameters
    ----------
    shape : (3,) ints
        Size (Z, Y, X) of the volume.
    seen : (Y, X) array of bool
        Where there is tissue, of a coarse level.

    Returns
    -------
    columns : list of (3,) slices
        Blocks (z, y, x), 16 at most.
    """
    n_z, n_y, n_x = shape
    held = [
        (slice(0, n_z), y, x)
        for y, x in columns(slice(0, n_y), slice(0, n_x))
        if seen[_scaled(y, n_y, len(seen)), _scaled(x, n_x, seen.shape[1])].any()
    ]
    chosen = np.linspace(0, len(held) - 1, min(len(held), _N_COLUMNS)).astype(int)
    return [held[i] for i in chosen]


def measured_depths(
    fixed: Source, moving: Source, affine: NDArray, depth_ratio: float, probes: Sequence[Block]
) -> Depths:
    """Find how deep the moving volume lies in the fixed one.

    Parameters
    ----------
    fixed, moving : (Z, Y, X) array
        Intensities in dB.
    affine : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y).
    depth_ratio : float
        Samples of the moving volume per sample of the fixed one.
    probes : sequence of (3,) slices
        Columns of the fixed volume.

    Raises
    ------
    EstimateError
        There is no tissue in them that both views see.
    """
    flat = np.zeros((3, 4))
    flat[:2, :2], flat[:2, 3] = affine[:, :2], affine[:, 2]
    surfaces: list[list[NDArray[np.float32]]] = [[], []]
    for z, y, x in probes:
        where = (slice(0, 1), y, x)
        _, box_y, box_x = box_of(where, flat)
        seen = steepest_rise_px(read_padded(moving, (slice(0, moving.shape[0]), box_y, box_x)))
        box = (slice(0, 1), box_y, box_x)
        surfaces[0].append(steepest_rise_px(read_padded(fixed, (z, y, x))).ravel())
        surfaces[1].append(sampled(seen[None, None], box, where, flat).ravel())
    fixed_px, moving_px = (np.concatenate([np.empty(0, np.float32), *one]) for one in surfaces)
    return fitted_depths(fixed_px, moving_px, depth_ratio)


def measured_noise(solid: Solid, probes: Sequence[Block]) -> float:
    """Return the noise of what a view measures: the median over columns; 0 where none tells."""
    noises = [solid.fibres(where)[1] for where in probes]
    known = [noise for noise in noises if noise > 0]
    return float(np.median(known)) if known else 0.0


def _scaled(where: slice, size: int, coarse: int) -> slice:
    """Return the pixels of a coarse level that a part covers: at least one."""
    start = where.start * coarse // size
    return slice(start, max(start + 1, where.stop * coarse // size))
