"""How long jobs may take, from what they work on: docs/performance.md has what is measured.

A limit is ten times what the processor was busy, for slow storage and shared nodes, and doubles
with every further attempt; it is never below ten minutes.
"""

import math
from collections.abc import Sequence

from octflow.core.experiment import Illumination
from octflow.workflow.memory import Mosaics, Places, size_px

_RESERVE = 10
_SHORTEST_MIN = 10

_LINE_US = 80
"""An A-line from spectra to products, or copied to the archive."""
_LINE_ELSEWHERE_US = 700
"""An A-line from spectra to products in Octave."""
_MAP_US = 0.1
"""A pixel of a stitched map, for every modality."""
_VOXEL_US = 0.012
"""A voxel of a stitched or stacked volume, written with its pyramid and digest."""
_REGISTERED_US = 2.5
"""A pixel of a slice that is registered, and its axis with adaptive smoothing."""
_REGISTERED_ELSEWHERE_US = 15
"""The averages and the axis of such a pixel in Octave, besides."""
_MOVED_US = 0.02
"""A voxel brought onto the voxels of another view."""
_FIBRE_US = 0.21
"""The fibres of a voxel."""


def tiles_min(row: Illumination, n_tiles: int, attempt: int = 1, *, elsewhere: bool = False) -> int:
    """Return the limit of a job that reads and writes tiles, minutes.

    Another backend than Python is given longer.

    Examples
    --------
    >>> row = Illumination(name="n", grid_size_x=30, tile_size_x_px=350, tile_size_y_px=350)
    >>> [tiles_min(row, n_tiles) for n_tiles in (1, 20, 40)], tiles_min(row, 20, 2)
    ([10, 33, 66], 66)
    """
    lines = n_tiles * row.n_lanes * row.tile_size_x_px * row.tile_size_y_px
    return _limit_min(lines * (_LINE_ELSEWHERE_US if elsewhere else _LINE_US), attempt)


def maps_min(row: Illumination, places: Places, n_maps: int, attempt: int = 1) -> int:
    """Return the limit of a job that stitches the maps of a mosaic, minutes."""
    return _limit_min(math.prod(size_px(row, places)) * n_maps * _MAP_US, attempt)


def volume_min(
    row: Illumination, places: Places, depth_px: int, attempt: int = 1, *, shares: int = 1
) -> int:
    """Return the limit of a job that stitches a volume, or its share of one, minutes."""
    voxels = math.prod(size_px(row, places)) * depth_px
    return _limit_min(voxels * _VOXEL_US / shares, attempt)


def register_min(mosaics: Mosaics, attempt: int = 1, *, elsewhere: bool = False) -> int:
    """Return the limit of a job that registers, or compares, the maps of mosaics, minutes.

    Another backend than Python is given longer.
    """
    each_us = _REGISTERED_US + (_REGISTERED_ELSEWHERE_US if elsewhere else 0)
    return _limit_min(_pixels(mosaics) * each_us, attempt)


def register_volumes_min(mosaics: Mosaics, depth_px: int, attempt: int = 1) -> int:
    """Return the limit of a job that registers volumes and finds the fibres of voxels, minutes."""
    voxels = _pixels(mosaics) * depth_px
    return _limit_min(voxels * (_MOVED_US + _FIBRE_US / max(len(mosaics), 1)), attempt)


def stack_min(mosaics: Mosaics, slab_px: int, attempt: int = 1) -> int:
    """Return the limit of the job that stacks slices of so many voxels in depth, minutes."""
    return _limit_min(_pixels(mosaics) * (slab_px * _VOXEL_US + _REGISTERED_US), attempt)


def _pixels(mosaics: Sequence[tuple[Illumination, Places]]) -> float:
    return sum(math.prod(size_px(row, places)) for row, places in mosaics)


def _limit_min(busy_us: float, attempt: int) -> int:
    return max(_SHORTEST_MIN, math.ceil(_RESERVE * busy_us / 60e6)) * 2 ** (attempt - 1)
