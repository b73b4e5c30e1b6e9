"""What stitching a map of 20 x 30 tiles costs, beside copying, plain NumPy and peers.

    python benchmarks/enface.py --peers-python PEERS/bin/python
    python benchmarks/enface.py --size 20 30 --tile 350 --repeats 3 --peers ""

Tiles of float32 with the noise of OCT in dB, overlaps of 20 %, positions at fractions of a pixel.
Every row is a process of its own on one thread, compiled code loaded before, the rows in turn;
printed are the fewest CPU seconds, medians of seconds, and the peak of memory above the tiles.

"copy + write" is the floor: the tiles are copied in memory and as many bytes as the mosaic has are
written to a file; "flushed" waits for the disk, as octflow always does. The rows of octflow are
held against the floor that does the same. Rows that do not write stop at the mosaic in memory.
"whole stage" is `stitch_enface` for one modality, from the files of the tiles: mask, comparison of
neighbours, NIfTI, JPEG, TIFF, sheet of pictures; its floor reads, copies and writes as many bytes.
NumPy adds whole tiles to one array, at whole pixels or moved by scipy.ndimage.shift. Peers that
cannot be imported are left out and named.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

OVERLAP = 0.2
VOXEL_MM = (0.01, 0.01, 0.2)


class Scan:
    """Tiles (N, Y, X), positions (N, 2) in px and places (N, 2) in the grid, x first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(folder / "scan.npz") as kept:
            self.tiles, self.positions, self.places = (
                kept[name] for name in ("tiles", "positions", "places")
            )
        self.tile_px = self.tiles.shape[1]
        high = np.ceil(self.positions.max(axis=0) + self.tile_px).astype(int)
        self.shape = tuple(high[::-1].tolist())
        self.overlap_px = round(self.tile_px * OVERLAP)

    def layout(self):
        """Place the tiles."""
        from octflow.core.mosaic import Layout

        positions = {i: (float(x), float(y)) for i, (x, y) in enumerate(self.positions)}
        return Layout(positions, (self.tile_px, self.tile_px), (self.overlap_px, self.overlap_px))

    def part(self, count: int) -> "Scan":
        """Return the first tiles, to load compiled code with."""
        part = object.__new__(Scan)
        part.__dict__ |= self.__dict__
        part.tiles, part.positions = self.tiles[:count], self.positions[:count] % 1
        part.places, part.shape = self.places[:count], (self.tile_px + 1,) * 2
        return part


def simulate(folder: Path, size: list[int], tile_px: int) -> None:
    """Write the tiles of a mosaic."""
    rng = np.random.default_rng(0)
    noise = (40 + 10 * np.log10(rng.gamma(2, 500, (tile_px, tile_px)))).astype(np.float32)
    places = np.array([(x, y) for x in range(size[1]) for y in range(size[0])])
    positions = places * tile_px * (1 - OVERLAP) + rng.uniform(0, 3, places.shape)
    tiles = np.stack([np.roll(noise, 17 * i, axis=1) for i in range(len(places))])
    low = positions.min(axis=0)
    np.savez(folder / "scan.npz", tiles=tiles, positions=positions - low, places=places)


def plain_write(path: Path, content: np.ndarray, *, flush: bool) -> None:
    """Write bytes."""
    with path.open("wb") as file:
        file.write(content.data)
        if flush:
            file.flush()
            os.fsync(file.fileno())


def floor(scan: Scan, path: Path, *, flush: bool) -> None:
    """Copy the tiles, write the bytes of a mosaic."""
    copied = scan.tiles.copy()
    n_px = scan.shape[0] * scan.shape[1]
    plain_write(path, copied.ravel()[:n_px], flush=flush)


def stitch(scan: Scan, path: Path, *, axial: bool = False, write: str = ".nii") -> None:
    """Blend by octflow; write as the stage does, by suffix, or without waiting for the disk."""
    from octflow.io.nifti import write_nifti
    from octflow.stages.stitch.blend import blend

    mosaic = blend(scan.layout(), dict(enumerate(scan.tiles)), axial=axial)
    if write.startswith(".nii"):
        write_nifti(path.with_suffix(write), mosaic, voxel_size_mm=VOXEL_MM)
    elif write:
        plain_write(path, mosaic, flush=False)


def stage(scan: Scan, path: Path) -> None:
    """Run `stitch_enface` on one modality."""
    from octflow.core.experiment import Illumination
    from octflow.core.instrument import Instrument
    from octflow.stages.stitch.files import stitch_enface
    from octflow.stages.stitch.settings import StitchSettings

    flags = scan.folder / f"flags-{len(scan.tiles)}"
    stitch_enface(
        processed=[flags / "batch.processed"],
        found=flags / "normal.found",
        overview=path.with_suffix(".jpg"),
        folder=path.parent,
        illumination=Illumination(
            name="normal",
            grid_size_x=int(scan.places[:, 0].max()) + 1,
            tile_size_x_px=scan.tile_px,
            tile_size_y_px=scan.tile_px,
            mask_threshold_db=60,
        ),
        grid=[[i + 1, *place] for i, place in enumerate(scan.places.tolist())],
        instrument=Instrument(),
        settings=StitchSettings(modalities=("aip",), mask_outputs=()),
    )


def write_flags(scan: Scan) -> None:
    """Write the tiles, and the flags that the stage reads."""
    from octflow.io.nifti import write_nifti
    from octflow.io.records import product
    from octflow.io.tilemap import Tilemap, write_tilemap

    flags = scan.folder / f"flags-{len(scan.tiles)}"
    outputs = []
    for i, tile in enumerate(scan.tiles):
        write_nifti(flags / f"{i}.nii", tile, voxel_size_mm=VOXEL_MM)
        outputs.append(product(flags / f"{i}.nii", "aip", i + 1))
    grid = {i + 1: (int(x), int(y)) for i, (x, y) in enumerate(scan.places)}
    positions = {i + 1: (float(x), float(y)) for i, (x, y) in enumerate(scan.positions)}
    overlap = (scan.overlap_px, scan.overlap_px)
    write_tilemap(flags / "normal.j2", Tilemap("normal", VOXEL_MM, overlap, positions, grid))
    write_flag(flags / "batch.processed", outputs)
    write_flag(flags / "normal.found", [product(flags / "normal.j2", "tilemap")])


def write_flag(path: Path, outputs: list) -> None:
    """Write the record of a job that never ran."""
    from octflow.core.record import Outcome, Unit
    from octflow.io.records import write_record
    from octflow.workflow.records import Attempt

    unit = Unit(project="benchmark", mosaic=1, illumination="normal")
    ran = {"stage": "process", "rule": "process_batch", "stage_version": 1, "pool": "tile"}
    attempt = Attempt(**ran, unit=unit, flags=[], parameters={}, threads=1)
    write_record(path, attempt.succeeded(Outcome(outputs=outputs), {}))


def stage_floor(scan: Scan, path: Path) -> None:
    """Read the files of the tiles, copy them, write mosaic and TIFF, flushed."""
    flags = scan.folder / f"flags-{len(scan.tiles)}"
    tiles = scan.tiles.copy()
    for i in range(len(tiles)):
        tiles[i] = np.fromfile(flags / f"{i}.nii", np.float32, offset=352).reshape(tiles[i].shape)
    n_px = scan.shape[0] * scan.shape[1]
    for name in ("a", "b"):
        plain_write(path.with_suffix(f".{name}"), tiles.ravel()[:n_px], flush=True)


def accumulate(scan: Scan, path: Path, *, subpixel: bool) -> None:
    """Add all tiles to one array by NumPy, at whole pixels or moved by SciPy; write."""
    from scipy import ndimage

    ramp = np.minimum(np.arange(1, scan.tile_px + 1) / (scan.overlap_px + 1), 1)
    ramp = np.minimum(ramp, ramp[::-1]).astype(np.float32)
    weight = np.outer(ramp, ramp)
    sums, weights = np.zeros((2, *(n + 1 for n in scan.shape)), np.float32)
    for tile, (x, y) in zip(scan.tiles, scan.positions, strict=True):
        i, j = (int(y), int(x)) if subpixel else (round(y), round(x))
        moved, share = tile, weight
        if subpixel:
            by = (y - i, x - j)
            moved = ndimage.shift(tile, by, order=1, mode="nearest")
            share = ndimage.shift(weight, by, order=1)
        where = (slice(i, i + scan.tile_px), slice(j, j + scan.tile_px))
        sums[where] += moved * share
        weights[where] += share
    mosaic = np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)
    plain_write(path, mosaic, flush=False)


def multiview(scan: Scan, path: Path) -> None:
    """Fuse by multiview-stitcher; write."""
    import dask
    from multiview_stitcher import fusion
    from multiview_stitcher import spatial_image_utils as si

    pictures = [
        si.get_sim_from_array(
            tile,
            dims=["y", "x"],
            scale={"y": 1.0, "x": 1.0},
            translation={"y": float(y), "x": float(x)},
            transform_key="stage",
        )
        for tile, (x, y) in zip(scan.tiles, scan.positions, strict=True)
    ]
    with dask.config.set(scheduler="synchronous"):
        fused = fusion.fuse(pictures, transform_key="stage", output_chunksize=1024)
        mosaic = np.ascontiguousarray(fused.data.compute().squeeze())
    plain_write(path, mosaic, flush=False)


def ashlar(scan: Scan, path: Path) -> None:
    """Assemble by ashlar; write."""
    from ashlar import reg

    n_px = np.array([scan.tile_px, scan.tile_px])

    class Metadata(reg.Metadata):
        _num_images = property(lambda _: len(scan.tiles))
        num_channels = property(lambda _: 1)
        pixel_size = property(lambda _: 1.0)
        pixel_dtype = property(lambda _: np.dtype("float32"))
        num_images = property(lambda _: len(scan.tiles))

        def tile_position(self, i):
            return scan.positions[i][::-1]

        def tile_size(self, i):
            return n_px

    class Reader(reg.Reader):
        def __init__(self):
            self.metadata = Metadata()

        def read(self, series, c):
            return scan.tiles[series]

    class Aligned:
        reader, metadata = Reader(), Metadata()
        positions = scan.positions[:, ::-1]

    mosaic = reg.Mosaic(Aligned(), tuple(n + 1 for n in scan.shape)).assemble_channel(0)
    plain_write(path, np.ascontiguousarray(mosaic), flush=False)


FLOORS = {
    "copy + write": partial(floor, flush=False),
    "copy + write, flushed": partial(floor, flush=True),
    "floor of the whole stage": stage_floor,
}
OURS = {
    "octflow": partial(stitch, write="plain"),
    "octflow, flushed": stitch,
    "octflow, axes, flushed": partial(stitch, axial=True),
    "octflow, gzip, flushed": partial(stitch, write=".nii.gz"),
    "octflow, not written": partial(stitch, write=""),
    "octflow, whole stage": stage,
}
PEERS: dict[str, Callable] = {
    "numpy": partial(accumulate, subpixel=False),
    "numpy + scipy": partial(accumulate, subpixel=True),
    "multiview-stitcher": multiview,
    "ashlar": ashlar,
}
AGAINST = {
    "octflow, flushed": "copy + write, flushed",
    "octflow, axes, flushed": "copy + write, flushed",
    "octflow, gzip, flushed": "copy + write, flushed",
    "octflow, whole stage": "floor of the whole stage",
}
"""Floor of a row, where it is not the first."""
SLOW = {"multiview-stitcher", "ashlar"}
"""Measured once."""
ROWS = FLOORS | OURS | PEERS


def memory_mb(key: str) -> float:
    """Return what the kernel says of this process: memory now (VmRSS) or at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def run_child(row: str, folder: Path, result: Path) -> None:
    """Load compiled code on a few tiles, then measure."""
    scan = Scan(folder)
    with tempfile.TemporaryDirectory(dir=folder) as name, contextlib.redirect_stdout(sys.stderr):
        try:
            ROWS[row](scan.part(4), Path(name) / "small")
        except ImportError as error:
            result.write_text(json.dumps({"absent": str(error)}))
            return
        before_mb = memory_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        cpu, wall = time.process_time(), time.perf_counter()
        ROWS[row](scan, Path(name) / "large")
        found = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    result.write_text(json.dumps({**found, "extra_mb": memory_mb("VmHWM") - before_mb}))


def measure(row: str, folder: Path, python: str) -> dict:
    """Measure a row in a process of its own."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    alone = {f"{name}_NUM_THREADS": "1" for name in names}
    command = [python, __file__, "--child", row, str(folder), str(result)]
    done = subprocess.run(
        command, env=os.environ | alone, stderr=subprocess.PIPE, text=True, check=False
    )
    if not result.exists():
        return {"absent": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(result.read_text())


def report(found: dict[str, list[dict]]) -> None:
    """Print the rows with the speed that they reach of their floor."""
    print(f"{'':26} {'s':>7} {'CPU s':>7} {'peak MB':>8} {'of floor':>9} {'CPU':>6}")
    cost = {}
    for row, runs in found.items():
        if "absent" in runs[0]:
            print(f"{row:26} left out: {runs[0]['absent']}")
            continue
        wall, cpu = median(run["wall_s"] for run in runs), min(run["cpu_s"] for run in runs)
        cost[row] = wall, cpu
        least = cost[AGAINST.get(row, "copy + write")]
        peak = max(run["extra_mb"] for run in runs)
        print(
            f"{row:26} {wall:7.3f} {cpu:7.3f} {peak:8.0f} {least[0] / wall:9.2f} "
            f"{least[1] / cpu:6.2f}"
        )


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=2, default=(20, 30), help="tiles along y, x")
    parser.add_argument("--tile", type=int, default=350, help="pixels along each axis")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS), help="empty for none")
    parser.add_argument("--peers-python", default=sys.executable, help="has the peers installed")
    parser.add_argument("--folder", type=Path, help="where files go; a temporary one if not given")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_child(asked.child[0], Path(asked.child[1]), Path(asked.child[2]))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        simulate(folder, asked.size, asked.tile)
        scan = Scan(folder)
        for part in (scan, scan.part(4)):
            write_flags(part)
        print(f"{len(scan.tiles)} tiles, {scan.tiles.nbytes / 1e6:.0f} MB; mosaic {scan.shape}")
        rows = [*FLOORS, *OURS, *filter(None, asked.peers.split(","))]
        found: dict[str, list[dict]] = {row: [] for row in rows}
        for turn in range(asked.repeats):
            for row in rows:
                if turn == 0 or row not in SLOW:
                    python = asked.peers_python if row in PEERS else sys.executable
                    found[row].append(measure(row, folder, python))
        report(found)


if __name__ == "__main__":
    main()
