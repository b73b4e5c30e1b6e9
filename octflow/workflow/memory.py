"""What jobs need in memory, from what they hold at a time."""

import math
from collections.abc import Iterable, Sequence

from octflow.core.backend import BackendName
from octflow.core.experiment import Illumination
from octflow.stages.register.settings import InDepth
from octflow.stages.stack.settings import StackSettings
from octflow.stages.volume.settings import VolumeSettings

Places = Iterable[tuple[int, int]]
Mosaics = Sequence[tuple[Illumination, Places]]

_PROGRAM_MB = 400
"""Python and its libraries."""
_BLOCK_KB = 400
"""Spectra and complex samples of a block of B-lines, for every A-line across."""
_VOLUMES_KB = 13
"""Three volumes of 1000 float32, and what the maps need, for every A-line of a tile."""
_OCTAVE_CONVERT_KB = 22
"""Complex profiles of a tile and a copy of some, in Octave, for every A-line; as measured."""
_OCTAVE_PROCESS_KB = 48
"""Complex profiles and volumes of a tile, in Octave, for every A-line; as measured."""
_MATLAB_MB = 2000
"""MATLAB itself; not measured."""
_MOSAIC_BYTES = 26
"""A map and its halves, what finds the tissue, pictures: for every pixel of a mosaic."""
_COMPARED_BYTES = 200
"""Maps of two slices, their texture, slopes of it in double precision: for every pixel."""
_REGISTERED_BYTES = 100
"""Maps of a view, their copies on the pixels of the fixed one, and its part of what is written: for
every pixel of the mosaics of a slice."""
_OCTAVE_REGISTER_BYTES = 60
"""Maps of a view in Octave, their averages, and its part of what is solved for: for every pixel of
the mosaics of a slice; as measured."""
_OCTAVE_MB = 100
"""Octave itself, and the sums of a square of pixels."""
_REGISTER_LINES_KB = 20
"""Lines of a block of all views, and those around it, for every pixel along them."""
_SHARDS_PER_THREAD = 8
"""The shard, and the samples of the tiles that it is made from, which are mapped."""
_STACKED_BYTES = 50
"""Axes of a slice, read, as an array, and compressed: for every pixel."""
_STACKED_SHARDS_PER_THREAD = 6
"""The shard, chunks of the slices that are kept for it, and what is moved at a time."""
_SHARDS_OF_LEVELS = 6
"""One shard of every coarser level, and what waits for the disk."""

_COLUMN_PX = 64
"""A-lines across of the columns in which fibres of voxels are found."""
_COLUMN_BYTES = 250
"""What is known of a voxel of them, of all views, while fibres are found."""


def convert_mb(row: Illumination, threads: int, backend: BackendName = "python") -> int:
    """Return the memory of a job that reads tiles and writes complex ones, block by block.

    Another backend than Python holds whole tiles, besides.
    """
    here = _PROGRAM_MB + threads * round(row.n_lanes * row.tile_size_x_px * _BLOCK_KB / 1000)
    return here + _elsewhere_mb(row, threads, backend, _OCTAVE_CONVERT_KB)


def process_mb(row: Illumination, threads: int, backend: BackendName = "python") -> int:
    """Return the memory of a job that holds the volumes of one tile per thread."""
    volumes_mb = row.tile_size_x_px * row.tile_size_y_px * _VOLUMES_KB / 1000
    here = convert_mb(row, threads) + threads * round(volumes_mb)
    return here + _elsewhere_mb(row, threads, backend, _OCTAVE_PROCESS_KB)


def _elsewhere_mb(row: Illumination, threads: int, backend: BackendName, kb: int) -> int:
    """Return what the programs of a backend hold: Octave a tile per thread, MATLAB one."""
    if backend == "python":
        return 0
    tile_mb = round(row.tile_size_x_px * row.tile_size_y_px * kb / 1000)
    return threads * tile_mb if backend == "octave" else _MATLAB_MB + tile_mb


def stitch_mb(row: Illumination, places: Places) -> int:
    """Return the memory of a job that holds one map of a mosaic, whatever their number."""
    return _PROGRAM_MB + round(math.prod(size_px(row, places)) * _MOSAIC_BYTES / 1e6)


def place_mb(row: Illumination, places: Places) -> int:
    """Return the memory of a job that compares the maps of two mosaics."""
    return _PROGRAM_MB + round(math.prod(size_px(row, places)) * _COMPARED_BYTES / 1e6)


def stack_mb(settings: StackSettings, mosaics: Mosaics, threads: int) -> int:
    """Return the memory of a job that stacks slices, whatever their number.

    One slice of the maps is held at a time, and then a few shards of the volume per thread.

    Examples
    --------
    >>> [stack_mb(StackSettings(), [], threads) for threads in (1, 2)]
    [1206, 1608]
    """
    n_px = max((math.prod(size_px(row, places)) for row, places in mosaics), default=0)
    shards = threads * _STACKED_SHARDS_PER_THREAD + _SHARDS_OF_LEVELS
    volume_mb = shards * math.prod(settings.shard_px) * 4 / 1e6 if settings.volumes else 0
    return _PROGRAM_MB + math.ceil(max(n_px * _STACKED_BYTES / 1e6, volume_mb))


def register_mb(mosaics: Mosaics, threads: int, backend: BackendName = "python") -> int:
    """Return the memory of a job that holds the maps of all mosaics of a slice.

    Another backend than Python holds them, too.

    Parameters
    ----------
    mosaics : sequence of (Illumination, places)
        Every mosaic, with the places (x, y) of its tiles in the grid.
    threads : int
        Blocks of lines that are worked on at a time.
    backend : {"python", "octave", "matlab", "matlab-engine"}
        Who solves for the fibre axes.

    Examples
    --------
    >>> row = Illumination(name="n", grid_size_x=20, tile_size_x_px=500, tile_size_y_px=500)
    >>> places = [(0, 0), (19, 9)]
    >>> register_mb([(row, places)] * 2, 1), register_mb([(row, places)] * 2, 2)
    (7204, 7366)
    """
    sizes = [size_px(row, places) for row, places in mosaics]
    n_px = sum(math.prod(size) for size in sizes)
    lines_mb = max(n_x for n_x, _ in sizes) * _REGISTER_LINES_KB / 1000
    here = _PROGRAM_MB + math.ceil(n_px * _REGISTERED_BYTES / 1e6 + threads * lines_mb)
    if backend == "python":
        return here
    program_mb = _OCTAVE_MB if backend == "octave" else _MATLAB_MB
    return here + program_mb + math.ceil(n_px * _OCTAVE_REGISTER_BYTES / 1e6)


def size_px(row: Illumination, places: Places) -> tuple[float, float]:
    """Return about how many pixels a mosaic has along x and y."""
    steps = zip(*places, strict=True)
    n_x, n_y = (
        step * max(along) + size
        for step, along, size in zip(
            row.nominal_step_px(), steps, (row.tile_size_x_px, row.tile_size_y_px), strict=True
        )
    )
    return n_x, n_y


def volume_mb(settings: VolumeSettings, threads: int) -> int:
    """Return the memory of a job that fuses volumes shard by shard, whatever their size.

    Examples
    --------
    >>> volume_mb(VolumeSettings(), 1), volume_mb(VolumeSettings(), 2)
    (1340, 1877)
    """
    shards = threads * _SHARDS_PER_THREAD + _SHARDS_OF_LEVELS
    return _PROGRAM_MB + math.ceil(shards * math.prod(settings.shard_px) * 4 / 1e6)


def register_volumes_mb(settings: InDepth, depth_px: int, threads: int) -> int:
    """Return the memory of a job that registers volumes shard by shard, whatever their size.

    Examples
    --------
    >>> register_volumes_mb(InDepth(), 500, 1), register_volumes_mb(InDepth(), 500, 2)
    (2697, 3584)
    """
    shard_mb = math.prod(settings.shard_px) * 4 / 1e6
    # A column is as deep as the volume where noise is measured, as a shard elsewhere.
    across = _COLUMN_PX + 2 * math.ceil(3 * settings.smoothing_px)
    column_mb = (depth_px + settings.window_px) * across**2 * _COLUMN_BYTES / 1e6
    each_mb = max(_SHARDS_PER_THREAD * shard_mb, column_mb)
    # Three volumes are written side by side, from vectors of blocks of which few are kept.
    shards = 3 * _SHARDS_OF_LEVELS + 3 * (threads + 1)
    return _PROGRAM_MB + math.ceil(threads * each_mb + shards * shard_mb)
