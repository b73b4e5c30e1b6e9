"""What joining the volumes of slices costs, beside its writer alone.

    python benchmarks/stacking.py                         all of it
    python benchmarks/stacking.py --parts speed           speed, floor, memory, adding: some of it
    python benchmarks/stacking.py --slices 4 --size 700 900 --repeats 3

The volumes of the slices have the noise of OCT in dB and lie in files, in the page cache; slices
are 200 voxels thick, their skirts 20. "shifted" slices lie a fraction of a pixel beside each other,
"turned" ones are turned too, by up to 2 degrees. "writer" gives octflow's writer, pyramid included,
blocks that are ready in memory. Every row is a process of its own, compiled code loaded before, the
rows in turn; printed are the medians of MB/s of the finest level, and the largest peak of memory.

In the part adding, the volume of n slices is there, and one more is added; "from scratch" makes
all n + 1. The part floor is what unpacking all slices, compressing and writing take by themselves.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from octflow.core.record import Product
from octflow.io.omezarr import Plan, read_volume
from octflow.io.records import product
from octflow.io.shard_reader import Kept, open_volume
from octflow.io.shards import CODEC_OF_CHUNKS
from octflow.io.volume_writer import write_volume
from octflow.stages.stack.frame import Stack
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place, canvas_of
from octflow.stages.stack.slabs import Layout
from octflow.stages.stack.volumes import write_volume_stack

VOXEL_MM = (0.01, 0.01, 0.0025)
CHUNK, SHARD = (64, 64, 64), (256, 256, 256)
DEPTH, LAYOUT = 256, Layout(thickness_px=200, top_px=30, skirt_px=20)
TURNS_DEG = (0.0, 1.4, -1.1, 1.9, -0.6)
SHIFTS_PX = ((0.0, 0.0), (8.3, -11.6), (-6.2, 3.7), (14.5, 9.2), (2.1, -4.4))


def simulate(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write the volumes of slices, each its own noise."""
    for number in range(1, count + 1):
        rng = np.random.default_rng(number)
        noise = 10 * np.log10(rng.gamma(2, 500, SHARD).astype(np.float32)) + 40

        def block_of(z: slice, y: slice, x: slice, noise: np.ndarray = noise) -> np.ndarray:
            return noise[: z.stop - z.start, : y.stop - y.start, : x.stop - x.start]

        plan = Plan((DEPTH, *size), VOXEL_MM, "dBI", chunk_px=CHUNK, shard_px=SHARD)
        write_volume(path_of(folder, number), plan, block_of=block_of)


def path_of(folder: Path, number: int) -> Path:
    """Name the volume of a slice."""
    return folder / f"slice-{number:03}.ome.zarr"


def products_of(folder: Path, count: int) -> dict[int, Product]:
    """Describe the volumes of the slices."""
    return {i: product(path_of(folder, i), "dBI") for i in range(1, count + 1)}


def places(count: int, size: tuple[int, int], *, turned: bool, moved: bool = True) -> dict:
    """Place slices beside each other."""
    centre = ((size[1] - 1) / 2, (size[0] - 1) / 2)
    return {
        i: Place(
            Motion(
                SHIFTS_PX[(i - 1) % 5] if moved else (0.0, 0.0),
                TURNS_DEG[(i - 1) % 5] if turned else 0.0,
                centre,
            )
        )
        for i in range(1, count + 1)
    }


def stack_of(out: Path, size: tuple[int, int], count: int, *, step_px: int, **how: bool) -> Stack:
    """Lay slices on a canvas."""
    laid = places(count, size, **how)
    canvas = canvas_of(dict.fromkeys(laid, size), laid).widened(step_px)
    return Stack(out, canvas, laid, (*VOXEL_MM[:2], 0.5))


def join(stack: Stack, found: dict[int, Product], threads: int) -> Path:
    """Join the volumes by octflow."""
    one = write_volume_stack(
        stack, "dBI", found, LAYOUT, voxel_size_mm=VOXEL_MM, chunk_px=CHUNK, shard_px=SHARD,
        threads=threads,
    )  # fmt: skip
    return Path(one.path)


def only_write(stack: Stack, count: int, threads: int) -> Path:
    """Write blocks that are ready, as many as the stack has; the digest is taken likewise."""
    rng = np.random.default_rng(0)
    ready = (10 * np.log10(rng.gamma(2, 500, SHARD).astype(np.float32)) + 40).astype(np.float32)

    def block_of(z: slice, y: slice, x: slice) -> np.ndarray:
        return ready[: z.stop - z.start, : y.stop - y.start, : x.stop - x.start]

    path = stack.path("written.ome.zarr")
    shape = (LAYOUT.start(count), *stack.canvas.shape)
    begun[:] = [clocks()]
    plan = Plan(shape, VOXEL_MM, "a", chunk_px=CHUNK, shard_px=SHARD)
    write_volume(path, plan, block_of=block_of, threads=threads)
    product(path, "a")
    return path


begun: list[tuple[float, float]] = []
"""Clocks when a row began, where it had to prepare first."""
ROWS = {
    "as they are": {"turned": False, "moved": False},
    "shifted": {"turned": False},
    "turned": {"turned": True},
    "writer": None,
}


def clocks() -> tuple[float, float]:
    """Return seconds, and seconds of the processors."""
    return time.perf_counter(), time.process_time()


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def run_child(row: str, asked: argparse.Namespace) -> None:
    """Load compiled code on small slices, then measure."""
    size, count, threads = tuple(asked.size), asked.slices, asked.threads
    with tempfile.TemporaryDirectory(dir=asked.folder.parent) as name:
        out = Path(name)
        simulate(out, 2, (80, 90))
        for how in ({"turned": False}, {"turned": True}):
            small = stack_of(out / "small", (80, 90), 2, step_px=1, **how)
            join(small, products_of(out, 2), 1)
        resting_mb = peak_mb()
        # The canvas of the turned slices holds the others too: the same shape for all rows.
        stack = stack_of(out, size, count, step_px=1, **(ROWS[row] or {"turned": True}))
        found = products_of(asked.folder, count)
        begun[:] = [clocks()]
        path = join(stack, found, threads) if ROWS[row] else only_write(stack, count, threads)
        wall_s, cpu_s = (b - a for a, b in zip(begun[-1], clocks(), strict=True))
        size_mb = math.prod(read_volume(path).shape) * 4 / 1e6
    told = {"wall_s": wall_s, "cpu_s": cpu_s, "size_mb": size_mb}
    print(json.dumps({**told, "peak_mb": peak_mb(), "resting_mb": resting_mb}))


def measure(row: str, folder: Path, size: tuple[int, int], count: int, threads: int) -> dict:
    """Measure a row in a process of its own."""
    options = {"--slices": [count], "--size": size, "--threads": [threads], "--folder": [folder]}
    words = [str(w) for name, values in options.items() for w in (name, *values)]
    command = [sys.executable, __file__, "--child", row, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{row}: failed\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: Path, size: tuple[int, int], count: int, repeats: int) -> None:
    """Measure all rows in turn, on one thread and on two."""
    for threads in (1, 2):
        runs: dict[str, list[dict]] = {row: [] for row in ROWS}
        for _ in range(repeats):
            for row in ROWS:
                runs[row].append(measure(row, folder, size, count, threads))
        print(f"\nspeed, {threads} threads: {runs['turned'][0]['size_mb']:.0f} MB")
        print(f"{'':14} {'MB/s':>6} {'MB/CPU s':>9} {'peak MB':>8} {'/ writer':>9} {'CPU':>6}")
        speeds = {row: speeds_of(found) for row, found in runs.items()}
        for row, (wall, cpu) in speeds.items():
            peak = max(one["peak_mb"] for one in runs[row])
            ratios = wall / speeds["writer"][0], cpu / speeds["writer"][1]
            print(f"{row:14} {wall:6.0f} {cpu:9.0f} {peak:8.0f} {ratios[0]:9.2f} {ratios[1]:6.2f}")


def speeds_of(runs: list[dict]) -> tuple[float, float]:
    """Return MB/s and MB per second of the processors."""
    wall, cpu = (median(one["size_mb"] / one[key] for one in runs) for key in ("wall_s", "cpu_s"))
    return wall, cpu


def print_floor(folder: Path, count: int, repeats: int) -> None:
    """Print what unpacking the slices, and packing as much, takes by itself."""
    volumes = [open_volume(path_of(folder, i), Kept(1)) for i in range(1, count + 1)]
    blocks = [np.asarray(v[tuple(slice(0, n) for n in (64, *v.shape[1:]))]) for v in volumes]
    chunks = [np.ascontiguousarray(b[:, :64, i : i + 64]) for b in blocks for i in (0, 64)]
    packed = [CODEC_OF_CHUNKS.encode(chunk) for chunk in chunks]
    size_mb = sum(chunk.nbytes for chunk in chunks) / 1e6
    steps = {
        "unpacked": lambda: [CODEC_OF_CHUNKS.decode(one) for one in packed],
        "compressed": lambda: [CODEC_OF_CHUNKS.encode(one) for one in chunks],
    }
    print("\nfloor, MB per second of the processors, best of the repeats")
    for name, step in steps.items():
        print(f"{name:14} {size_mb / min(seconds_of(step) for _ in range(repeats)):6.0f}")


def seconds_of(step) -> float:
    """Return seconds of the processors."""
    before = time.process_time()
    step()
    return time.process_time() - before


def compare_memory(folder: Path, size: tuple[int, int], counts: list[int]) -> None:
    """Print the peaks for growing numbers of slices."""
    print("\nmemory, turned, 1 thread")
    for count in counts:
        one = measure("turned", folder, size, count, 1)
        above = one["peak_mb"] - one["resting_mb"]
        print(f"{count} slices: {one['size_mb']:.0f} MB, peak {one['peak_mb']:.0f} MB, {above:.0f}"
              " above the program")  # fmt: skip


def compare_adding(folder: Path, size: tuple[int, int], counts: list[int]) -> None:
    """Print the time of one slice more against all of them."""
    print("\nadding one to n slices, turned, 1 thread, CPU s")
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        simulate(Path(name), 2, (80, 90))
        join(stack_of(Path(name) / "o", (80, 90), 2, step_px=1, turned=True),
             products_of(Path(name), 2), 1)  # fmt: skip
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            many, one_less = (
                stack_of(Path(name), size, n, step_px=64, turned=True) for n in (count, count - 1)
            )
            one_less = Stack(many.folder, many.canvas, one_less.places, many.voxel_size_mm)
            join(one_less, products_of(folder, count - 1), 1)
            found = products_of(folder, count)
            added = seconds_of(lambda: join(many, found, 1))  # noqa: B023
            shutil.rmtree(many.path("dBI.ome.zarr"))
            scratch = seconds_of(lambda: join(many, found, 1))  # noqa: B023
        print(f"n = {count - 1}: added {added:.2f}, from scratch {scratch:.2f}")


def main() -> None:
    """Simulate, measure, print."""
    parts = ("speed", "floor", "memory", "adding")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(500, 700), help="y, x")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where files go; a temporary one if not given")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if asked.child:
        run_child(asked.child, asked)
        return
    size, counts = tuple(asked.size), sorted({2, asked.slices, 2 * asked.slices})
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name) / "slices"
        folder.mkdir()
        most = counts[-1] if {"memory", "adding"} & set(asked.parts) else asked.slices
        simulate(folder, most, size)
        if "speed" in asked.parts:
            compare(folder, size, asked.slices, asked.repeats)
        if "floor" in asked.parts:
            print_floor(folder, asked.slices, asked.repeats)
        if "memory" in asked.parts:
            compare_memory(folder, size, counts)
        if "adding" in asked.parts:
            compare_adding(folder, size, counts)


if __name__ == "__main__":
    main()
