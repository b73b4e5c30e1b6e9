"""What fusing tiles to an OME-Zarr volume costs, beside its writer, plain NumPy and peers.

    python benchmarks/volumes.py                          all of it
    python benchmarks/volumes.py --parts fusion pyramid   fusion, pyramid, memory, floor: some of it
    python benchmarks/volumes.py --side 5 --tile 128 200 200 --repeats 3
    python benchmarks/volumes.py --parts fusion --tile 256 350 350 --rows NumPy writer

Tiles of float32 with the noise of OCT lie in files, in the page cache; overlaps of 15 % are
blended linearly. octflow places them to fractions of a pixel and shifts every A-line in depth; the
others do neither, at whole pixels. Every row is a process of its own, compiled code loaded before,
the rows in turn, on one thread where not said otherwise; printed are the medians of MB/s of the
finest level, and the largest peak of memory.

"writer" gives octflow's writer, pyramid included, blocks that are ready in memory. "NumPy" adds all
tiles to one array and has zarr-python write it, one shard at a time, without a pyramid; codec,
chunks and shards are the same. It is the least that can be done; "weights of voxels" keeps a weight
for every voxel; "the same job" interpolates in depth and sideways and makes the pyramid as octflow
does. zarr-python compresses in threads of its own: its CPU time is the one to compare.
multiview-stitcher fuses with its defaults into its OME-Zarr. In the part pyramid the finest level
lies in memory and all levels are written. Peers that cannot be imported are left out:
`pip install multiview-stitcher ngff-zarr ome-zarr`.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from octflow.core.mosaic import Layout, resampled
from octflow.core.scaled import Scaled, unscaled
from octflow.io.omezarr import Plan
from octflow.io.shards import CODEC, CODEC_OF_CHUNKS
from octflow.io.volume_writer import write_volume
from octflow.stages.volume.fuse import Fusion

OVERLAP = 0.15
CHUNK, SHARD = (64, 64, 64), (256, 256, 256)
MEMORY_SIDES = (5, 15)
MEMORY_TILE = (128, 200, 200)
LEVELS = [2, 4, 8]
Shape = tuple[int, int, int]


class Tiles(Mapping[int, Scaled]):
    """Tiles in files, mapped when they are asked for, as those of a mosaic are."""

    def __init__(self, folder: Path) -> None:
        self._paths = dict(enumerate(sorted(folder.glob("tile-*.npy"))))

    def __getitem__(self, tile: int) -> Scaled:
        return unscaled(np.asarray(np.load(self._paths[tile], mmap_mode="r")))

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def simulate(folder: Path, side: int, shape: Shape) -> None:
    """Write the tiles of a mosaic, noise like that of OCT in dB."""
    folder.mkdir()
    noise = 10 * np.log10(np.random.default_rng(0).gamma(2, 500, shape).astype(np.float32)) + 40
    for tile in range(side**2):
        np.save(folder / f"tile-{tile:04}.npy", np.roll(noise, 17 * tile, axis=2))


def layout_of(folder: Path, *, whole: bool = False) -> Layout:
    """Place the tiles on a grid, to fractions of a pixel or to whole ones."""
    n_tiles, (_, n_y, n_x) = len(Tiles(folder)), Tiles(folder)[0].stored.shape
    side = math.isqrt(n_tiles)
    overlap = (int(OVERLAP * n_y), int(OVERLAP * n_x))
    jitter = np.random.default_rng(1).uniform(0, 0 if whole else 1, (n_tiles, 2))
    positions = {
        tile: (
            float(tile % side * (n_x - overlap[1]) + jitter[tile, 0]),
            float(tile // side * (n_y - overlap[0]) + jitter[tile, 1]),
        )
        for tile in range(n_tiles)
    }
    return Layout(positions, (n_y, n_x), overlap)


def volume_shape(folder: Path, layout: Layout) -> Shape:
    """Return the size of the fused volume."""
    return (Tiles(folder)[0].stored.shape[0], *layout.shape)


def write(
    path: Path, shape: Shape, block_of: Callable, threads: int, *, axial: bool = False
) -> None:
    """Write a volume by octflow."""
    write_volume(
        path,
        Plan(shape, (0.01, 0.01, 0.0025), "a", axial, chunk_px=CHUNK, shard_px=SHARD),
        block_of=block_of,
        threads=threads,
    )


def fuse(folder: Path, result: Path, *, threads: int = 1, axial: bool = False) -> Shape:
    """Fuse by octflow: fractions of a pixel, each A-line at its own depth."""
    layout = layout_of(folder)
    fusion = Fusion(layout, Tiles(folder), depth_shift_px(layout), axial)
    shape = volume_shape(folder, layout)
    write(result, shape, fusion.passing_block, threads, axial=axial)
    return shape


def only_write(folder: Path, result: Path, *, threads: int = 1) -> Shape:
    """Write blocks that are ready."""
    ready = np.tile(Tiles(folder)[0].floats(), (1, 2, 2))[:, : SHARD[1], : SHARD[2]].copy()
    shape = volume_shape(folder, layout_of(folder))

    def block_of(z: slice, y: slice, x: slice) -> np.ndarray:
        return ready[: z.stop - z.start, : y.stop - y.start, : x.stop - x.start]

    started.append(clocks())
    write(result, shape, block_of, threads)
    return shape


def depth_shift_px(layout: Layout) -> np.ndarray:
    """Return the depth (Y, X) that becomes depth 0: a curved field."""
    y, x = np.indices(layout.tile_shape) / np.reshape(layout.tile_shape, (2, 1, 1))
    return (6 * (x - 0.4) ** 2 + 5 * (y - 0.5) ** 2).astype(np.float32)


def write_by_zarr(path: Path, volume: np.ndarray) -> None:
    """Write a level by zarr-python, one shard at a time."""
    import zarr

    shards = tuple(
        min(s, -(-n // c) * c) for s, c, n in zip(SHARD, CHUNK, volume.shape, strict=True)
    )
    array = zarr.create_array(
        path, shape=volume.shape, chunks=CHUNK, shards=shards, dtype="float32", compressors=CODEC
    )
    for corner in itertools.product(*map(range, (0, 0, 0), volume.shape, shards)):
        where = tuple(slice(a, a + n) for a, n in zip(corner, shards, strict=True))
        array[where] = volume[where]


def accumulate(folder: Path, result: Path) -> Shape:
    """Add all tiles to one array, weights being the same at all depths."""
    layout = layout_of(folder, whole=True)
    shape = volume_shape(folder, layout)
    sums, weights = np.zeros(shape, np.float32), np.zeros(shape[1:], np.float32)
    for tile, volume in Tiles(folder).items():
        placement = layout.placement(tile)
        weights[placement.where] += placement.weight
        sums[:, *placement.where] += volume.stored * placement.weight
    sums /= weights
    write_by_zarr(result, sums)
    return shape


def accumulate_voxels(folder: Path, result: Path) -> Shape:
    """Do so with a weight for every voxel, as tiles that begin at several depths need it."""
    layout = layout_of(folder, whole=True)
    sums, weights = np.zeros((2, *volume_shape(folder, layout)), np.float32)
    for tile, volume in Tiles(folder).items():
        placement = layout.placement(tile)
        weights[:, *placement.where] += placement.weight
        sums[:, *placement.where] += volume.stored * placement.weight
    write_by_zarr(result, normalised(sums, weights))
    return sums.shape


def accumulate_alike(folder: Path, result: Path) -> Shape:
    """Do all that octflow does: fractions of a pixel, A-lines at their depths, a pyramid."""
    layout = layout_of(folder)
    sums, weights = np.zeros((2, *volume_shape(folder, layout)), np.float32)
    for tile, volume in Tiles(folder).items():
        placement = layout.placement(tile)
        moved = resampled(deepened(volume.stored, depth_shift_px(layout)), placement)
        there = np.isfinite(moved)
        weights[:, *placement.where] += placement.weight * there
        sums[:, *placement.where] += placement.weight * np.where(there, moved, 0)
    level = normalised(sums, weights)
    write_by_zarr(result / "0", level)
    for i in range(1, 1 + math.ceil(math.log2(max(level.shape) / 128))):
        level = halved_plainly(level)
        write_by_zarr(result / str(i), level)
    return sums.shape


def normalised(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Divide where there is a weight."""
    empty = np.full(sums.shape, np.nan, np.float32)
    return np.divide(sums, weights, out=empty, where=weights > 0)


def deepened(volume: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Shift every A-line in depth by linear interpolation; NaN below the tile."""
    whole = np.floor(shift_px).astype(np.intp)
    index = np.arange(len(volume))[:, None, None] + whole
    last = len(volume) - 1
    shallow, deep = (
        np.take_along_axis(volume, np.minimum(index + step, last), axis=0) for step in (0, 1)
    )
    moved = shallow + (deep - shallow) * (shift_px - whole).astype(np.float32)
    return np.where(index < last, moved, np.float32(np.nan))


def halved_plainly(volume: np.ndarray) -> np.ndarray:
    """Average 2 x 2 x 2 voxels, those that have a value."""
    odd = [(0, n % 2) for n in volume.shape]
    cells = np.pad(volume, odd, constant_values=np.nan)
    z, y, x = (n // 2 for n in cells.shape)
    cells = cells.reshape(z, 2, y, 2, x, 2)
    there = np.isfinite(cells)
    counts = there.sum(axis=(1, 3, 5), dtype=np.float32)
    return normalised(np.where(there, cells, 0).sum(axis=(1, 3, 5)), counts)


def fuse_multiview(folder: Path, result: Path) -> Shape:
    """Fuse by multiview-stitcher."""
    import dask
    from multiview_stitcher import fusion
    from multiview_stitcher import spatial_image_utils as si

    layout = layout_of(folder, whole=True)
    sims = [
        si.get_sim_from_array(
            np.asarray(volume.stored),
            dims=["z", "y", "x"],
            scale={"z": 1, "y": 1, "x": 1},
            translation={
                "z": 0,
                "y": layout.positions_px[tile][1],
                "x": layout.positions_px[tile][0],
            },
            transform_key="stage",
        )
        for tile, volume in Tiles(folder).items()
    ]
    with dask.config.set(scheduler="threads", num_workers=1):
        fusion.fuse(
            sims,
            transform_key="stage",
            output_chunksize=dict(zip("zyx", SHARD, strict=True)),
            output_zarr_url=str(result),
        )
    return volume_shape(folder, layout)


def whole_volume(folder: Path) -> np.ndarray:
    """Return a finest level in memory."""
    shape = volume_shape(folder, layout_of(folder))
    repeats = (
        1,
        *(-(-n // t) for n, t in zip(shape[1:], Tiles(folder)[0].stored.shape[1:], strict=True)),
    )
    return np.tile(Tiles(folder)[0].floats(), repeats)[:, : shape[1], : shape[2]].copy()


def pyramid(folder: Path, result: Path) -> Shape:
    """Write a volume in memory with all its levels, by octflow."""
    volume = whole_volume(folder)
    started.append(clocks())
    write(result, volume.shape, lambda *where: volume[where], 1)
    return volume.shape


def pyramid_ngff_zarr(folder: Path, result: Path) -> Shape:
    """Do so by ngff-zarr, by means of 2 x 2 x 2 voxels."""
    import dask
    import ngff_zarr

    volume = whole_volume(folder)
    started.append(clocks())
    with dask.config.set(scheduler="threads", num_workers=1):
        image = ngff_zarr.to_ngff_image(volume, dims=["z", "y", "x"])
        levels = ngff_zarr.to_multiscales(
            image, LEVELS, chunks=64, method=ngff_zarr.Methods.ITKWASM_BIN_SHRINK
        )
        ngff_zarr.to_ngff_zarr(str(result), levels, version="0.5", chunks_per_shard=4)
    return volume.shape


def pyramid_ome_zarr(folder: Path, result: Path) -> Shape:
    """Do so by ome-zarr."""
    import dask
    import zarr
    from ome_zarr.writer import write_image

    volume = whole_volume(folder)
    started.append(clocks())
    with dask.config.set(scheduler="threads", num_workers=1):
        group = zarr.open_group(result, mode="w", zarr_format=3)
        options = {"chunks": CHUNK, "compressors": CODEC}
        write_image(
            volume,
            group,
            axes="zyx",
            scale_factors=[dict.fromkeys("zyx", n) for n in LEVELS],
            storage_options=options,
        )
    return volume.shape


FUSION = {
    "octflow": fuse,
    "octflow, 2 threads": partial(fuse, threads=2),
    "octflow, axis angles": partial(fuse, axial=True),
    "writer": only_write,
    "writer, 2 threads": partial(only_write, threads=2),
    "NumPy": accumulate,
    "NumPy, weights of voxels": accumulate_voxels,
    "NumPy, the same job": accumulate_alike,
    "multiview-stitcher": fuse_multiview,
}
PYRAMID = {"octflow": pyramid, "ngff-zarr": pyramid_ngff_zarr, "ome-zarr": pyramid_ome_zarr}
PARTS = {"fusion": FUSION, "pyramid": PYRAMID, "memory": {"octflow": fuse}, "floor": {}}
MODULES = {
    "multiview-stitcher": "multiview_stitcher",
    "ngff-zarr": "ngff_zarr",
    "ome-zarr": "ome_zarr",
}
SLOW = {"multiview-stitcher", "ngff-zarr"}
"""Measured once."""

started: list[tuple[float, float]] = []
"""Clocks when a row began, where it had to prepare first."""


def clocks() -> tuple[float, float]:
    """Return seconds, and seconds of the processors."""
    return time.perf_counter(), time.process_time()


def measure(part: str, row: str, folder: Path) -> dict[str, float]:
    """Measure a row in a process of its own."""
    command = [sys.executable, __file__, "--child", part, row, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{part}, {row}: failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_child(part: str, row: str, folder: Path) -> None:
    """Load compiled code on small tiles, then measure."""
    run = PARTS[part][row]
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        simulate(Path(name) / "small", 2, (32, 40, 40))
        run(Path(name) / "small", Path(name) / "small.ome.zarr")
        resting_mb = peak_mb()
        started[:] = [clocks()]
        shape = run(folder, Path(name) / "large.ome.zarr")
        wall_s, cpu_s = (b - a for a, b in zip(started[-1], clocks(), strict=True))
    print()
    size_mb = math.prod(shape) * 4 / 1e6
    found = {"wall_s": wall_s, "cpu_s": cpu_s, "size_mb": size_mb}
    print(json.dumps({**found, "peak_mb": peak_mb(), "resting_mb": resting_mb}))


def peak_mb() -> float:
    """Return the largest memory of this process so far, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def compare(part: str, folder: Path, repeats: int, asked: list[str] | None) -> None:
    """Measure the rows of a part in turn and print them with their ratios."""
    absent = [row for row, m in MODULES.items() if importlib.util.find_spec(m) is None]
    rows = [row for row in PARTS[part] if row not in absent]
    rows = [row for row in rows if asked is None or row in {"octflow", *asked}]
    found: dict[str, list[dict[str, float]]] = {row: [] for row in rows}
    for turn in range(repeats):
        for row in rows:
            if turn == 0 or row not in SLOW:
                found[row].append(measure(part, row, folder))
    print(f"\n{part}: {found['octflow'][0]['size_mb']:.0f} MB")
    print(f"{'':24} {'MB/s':>8} {'MB/CPU s':>9} {'peak MB':>8} {'octflow / it':>13} {'CPU':>6}")
    speeds = {row: speeds_of(found[row]) for row in rows}
    for row in rows:
        alike = "2 threads" in row and "octflow, 2 threads" in speeds
        ours = speeds["octflow, 2 threads" if alike else "octflow"]
        ratios = [a / b for a, b in zip(ours, speeds[row], strict=True)]
        peak = max(one["peak_mb"] for one in found[row])
        wall, cpu = speeds[row]
        print(f"{row:24} {wall:8.0f} {cpu:9.0f} {peak:8.0f} {ratios[0]:13.2f} {ratios[1]:6.2f}")
    for row in absent:
        if row in PARTS[part]:
            print(f"{row}: left out, not installed")


def speeds_of(runs: list[dict[str, float]]) -> tuple[float, float]:
    """Return MB/s and MB per second of the processors."""
    wall, cpu = (median(one["size_mb"] / one[key] for one in runs) for key in ("wall_s", "cpu_s"))
    return wall, cpu


def print_floor(folder: Path, repeats: int) -> None:
    """Print what reading, compressing and writing the finest level takes by itself."""
    tiles, volume = Tiles(folder), whole_volume(folder)
    plane = np.empty(tiles[0].stored.shape[1:], np.float32)
    file = folder.parent / "floor"
    chunks = [
        np.ascontiguousarray(volume[tuple(slice(i, i + n) for i, n in zip(at, CHUNK, strict=True))])
        for at in itertools.product(*map(range, (0, 0, 0), volume.shape, CHUNK))
    ]
    packed: list[bytes] = []

    def read() -> None:
        for volume in tiles.values():
            for one in volume.stored:
                plane[:] = one

    def pack() -> None:
        packed[:] = [CODEC_OF_CHUNKS.encode(chunk) for chunk in chunks]

    def keep(*, flushed: bool = False) -> None:
        with file.open("wb") as one:
            one.writelines(packed)
            if flushed:
                os.fsync(one.fileno())
        file.unlink()

    size_mb = volume.nbytes / 1e6
    print(f"\nfloor: {size_mb:.0f} MB, fewest of {repeats}")
    steps = {"tiles read": read, "compressed": pack, "written": keep}
    for name, step in {**steps, "written and flushed": partial(keep, flushed=True)}.items():
        taken = [seconds_of(step) for _ in range(repeats)]
        wall_s, cpu_s = map(min, zip(*taken, strict=True))
        print(f"{name:24} {wall_s:6.3f} s, {cpu_s:6.3f} CPU s")
    print(f"compressed to {sum(map(len, packed)) / 1e6 / size_mb:.3f} of the size")


def seconds_of(step: Callable[[], None]) -> tuple[float, float]:
    """Return seconds, and seconds of the processors."""
    before = clocks()
    step()
    wall_s, cpu_s = (b - a for a, b in zip(before, clocks(), strict=True))
    return wall_s, cpu_s


def compare_memory(folder: Path) -> None:
    """Fuse a small and a large mosaic and print their peaks."""
    print(f"\nmemory: tiles of {MEMORY_TILE}")
    for side in MEMORY_SIDES:
        tiles = folder / f"memory-{side}"
        simulate(tiles, side, MEMORY_TILE)
        one = measure("memory", "octflow", tiles)
        above = one["peak_mb"] - one["resting_mb"]
        print(
            f"{side} x {side} tiles: {one['size_mb']:.0f} MB, peak {one['peak_mb']:.0f} MB, "
            f"{above:.0f} above the program"
        )
        shutil.rmtree(tiles)


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--side", type=int, default=5, help="tiles along each axis")
    parser.add_argument("--tile", type=int, nargs=3, default=(128, 200, 200), help="z, y, x")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", nargs="+", help="these beside octflow; all if not given")
    parser.add_argument("--folder", type=Path, help="where files go; a temporary one if not given")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    if asked.child:
        run_child(*asked.child, asked.folder)
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        if set(asked.parts) - {"memory"}:
            simulate(folder / "tiles", asked.side, tuple(asked.tile))
        for part in asked.parts:
            if part == "memory":
                compare_memory(folder)
            elif part == "floor":
                print_floor(folder / "tiles", asked.repeats)
            else:
                compare(part, folder / "tiles", asked.repeats, asked.rows)


if __name__ == "__main__":
    main()
