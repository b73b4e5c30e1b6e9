"""Tile coordinates: our error, time and memory against peers, on simulated grids.

    python benchmarks/coordinates.py --peers-python PEERS/bin/python
    python benchmarks/coordinates.py --grids 5x7 --seeds 0 --peers skimage,ashlar
    python benchmarks/coordinates.py --hard --grids 5x7,10x14 --peers skimage,ashlar

Peers that cannot be imported are left out and named. Each method runs on each grid in a process of
its own, on one thread. Errors are distances after the common offset (median) is taken out. Judged
are tiles of which a quarter is tissue, on the largest island whose tiles share overlaps of which a
quarter is tissue: nothing tells how islands lie. Medians over the seeds, but the worst tile of all.
CPU seconds and memory are those of the method: not its imports, not the tiles, and not a first run
on 3 x 3 of them.

The grids: texture of fibres and cells that all tiles share, 1 to 16 px wide, as strong in every
octave, of a contrast that varies from 0.1 to 0.3; speckle of contrast 0.25, a pixel wide, that no
two tiles share; vignetting of 25 %, stripes of the scan, a quarter of background, 5 % of tiles
missing; a stage with jitter of 2 px, backlash of 4 px in every other grid column, a turn of 0.4
degrees, steps off by +0.4 and -0.6 %, drift. The overlap is 15, 10, 20 % by seed. With --hard the
contrast varies from 0.05 to 0.15, and half is background.

With --keep results of peers are kept in a folder, and taken from it instead of running them again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from scipy import fft, ndimage

GRIDS = {"5x7": (5, 7, 350), "10x14": (10, 14, 350), "20x30": (20, 30, 350), "1000": (5, 7, 1000)}
PEERS = (
    "skimage",
    "ashlar",
    "ashlar-3",
    "m2stitch",
    "multiview",
    "multiview-linear",
    "multiview-tissue",
)
OVERLAPS = (0.15, 0.10, 0.20)
MARGIN = 64
PERIOD = 1024
WIDTHS_PX = (1, 2, 4, 8, 16)
LEVEL_DB, TISSUE_DB = 50.0, 14.0
NORMAL = {"contrast": (0.1, 0.3), "background": 0.25}
HARD = {"contrast": (0.05, 0.15), "background": 0.5}


def oriented_texture(rng, angle_deg):
    """Return periodic texture (PERIOD, PERIOD) of unit variance: fibres along an angle, cells."""
    y, x = np.meshgrid(*[fft.fftfreq(PERIOD)] * 2, indexing="ij")
    turn = np.deg2rad(angle_deg)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    texture = np.zeros((PERIOD, PERIOD))
    for width in WIDTHS_PX:
        for share, length in ((0.8, 8 * width), (0.6, width)):
            exponent = (length * along) ** 2 + (width * across) ** 2
            shape = np.exp(-2 * np.pi**2 * exponent)
            part = fft.ifft2(fft.fft2(rng.normal(size=(PERIOD, PERIOD))) * shape).real
            texture += share * part / part.std()
    return (texture / np.sqrt(len(WIDTHS_PX))).astype(np.float32)


def smooth_field(rng, shape, scale_px):
    """Return a smooth random field (Y, X), its values the ranks 0 to 1."""
    coarse = rng.normal(size=[n // 32 + 2 for n in shape])
    coarse = ndimage.gaussian_filter(coarse, scale_px / 32)
    ranks = np.empty(coarse.size, np.float32)
    ranks[np.argsort(coarse, axis=None)] = np.linspace(0, 1, coarse.size)
    zoomed = ndimage.zoom(ranks.reshape(coarse.shape), 32, order=1)
    return zoomed[: shape[0], : shape[1]]


class Sample:
    """What lies under the microscope, looked at through a window at a time."""

    def __init__(self, shape, rng, contrast, background):
        self.background = background
        self.textures = [oriented_texture(rng, angle) for angle in (10, 55, 100, 145)]
        self.regions, self.contrast, self.tissue = (
            smooth_field(rng, shape, scale) for scale in (300, 200, 350)
        )
        self.contrast = contrast[0] + (contrast[1] - contrast[0]) * self.contrast

    def window(self, y, x, size):
        """Return intensity and tissue (size, size) from a whole pixel on."""
        where = np.s_[y : y + size, x : x + size]
        wrap = np.ix_(np.arange(y, y + size) % PERIOD, np.arange(x, x + size) % PERIOD)
        place = self.regions[where] * 3
        texture = sum(
            np.maximum(1 - np.abs(place - k), 0) * t[wrap] for k, t in enumerate(self.textures)
        )
        tissue = np.clip((self.tissue[where] - self.background) * 40 + 0.5, 0, 1)
        bright = 10 ** (TISSUE_DB / 10) * np.exp(self.contrast[where] * texture)
        return 1 + tissue * bright, tissue


def true_positions(places, step_px, rng):
    """Where the stage really goes, for nominal steps (x, y)."""
    nominal = places * step_px
    turn = np.deg2rad(0.4)
    x, y = nominal[:, 0] * 1.004, nominal[:, 1] * 0.994
    found = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
    found[:, 1] += 4.0 * (places[:, 0] % 2)
    found += np.cumsum(rng.normal(0, 0.1, found.shape), axis=0)
    return found + rng.normal(0, 2.0, found.shape)


def cut(sample, position, size):
    """Return the tile's intensity at a fractional position, and where (size, size) it is tissue."""
    (i, j), edge = np.floor(position[::-1]).astype(int), 12
    picture, tissue = sample.window(i - edge, j - edge, size + 2 * edge)
    moved = ndimage.shift(
        picture, (i - position[1], j - position[0]), order=5, mode="nearest", output=np.float32
    )
    inner = np.s_[edge:-edge, edge:-edge]
    return moved[inner], tissue[inner] > 0.5


def shared_overlaps(tissue, place, there, overlap_px):
    """List the neighbours that are there and share an overlap of which a quarter is tissue."""
    x, y = place
    overlaps = {
        (x - 1, y): tissue[:, :overlap_px],
        (x + 1, y): tissue[:, -overlap_px:],
        (x, y - 1): tissue[:overlap_px],
        (x, y + 1): tissue[-overlap_px:],
    }
    return [other for other, part in overlaps.items() if other in there and part.mean() >= 0.25]


def largest_island(links):
    """Return the places that hang together, given the links of every place."""
    left, largest = set(links), set()
    while left:
        island, edge = set(), {left.pop()}
        while edge:
            island |= edge
            edge = {other for place in edge for other in links[place] if other in links} - island
        left -= island
        largest = max(largest, island, key=len)
    return largest


def speckle(rng, size):
    """Return lognormal speckle (size, size) of contrast 0.25, a pixel wide."""
    return np.exp(np.float32(0.246) * rng.standard_normal((size, size), np.float32))


def simulate(path, name, seed, kind=NORMAL):
    """Write the tiles of a grid; return true positions, and which tiles are judged."""
    n_x, n_y, size = GRIDS[name]
    rng = np.random.default_rng([seed, size, n_x])
    step_px = np.full(2, size * (1 - OVERLAPS[seed % len(OVERLAPS)]))
    places = np.array([(x, y) for x in range(n_x) for y in range(n_y)])
    truth = true_positions(places, step_px, rng)
    truth += MARGIN - truth.min(axis=0)
    x, y = (np.ceil(truth.max(axis=0)) + size + MARGIN).astype(int)
    sample = Sample((int(y), int(x)), rng, **kind)
    present = np.sort(rng.permutation(len(places))[: round(0.95 * len(places))])
    off = np.linspace(-1, 1, size, dtype=np.float32)
    shade = 1 - 0.25 * (off[:, None] ** 2 + off**2) / 2
    shade *= 1 + 0.01 * rng.standard_normal((size, 1), np.float32)
    tiles, links = np.empty((len(present), size, size), np.float32), {}
    there = {tuple(place) for place in places[present].tolist()}
    for tile, k in zip(tiles, present, strict=True):
        picture, tissue = cut(sample, truth[k], size)
        tile[:] = LEVEL_DB + 10 * np.log10(np.maximum(picture, 0.1) * shade * speckle(rng, size))
        if tissue.mean() >= 0.25:
            place = tuple(places[k].tolist())
            links[place] = shared_overlaps(tissue, place, there, round(size - step_px[0]))
    np.savez(path, tiles=tiles, places=places[present], step_px=step_px, size=(n_x, n_y))
    island = largest_island(links)
    return truth[present], np.array([tuple(p) in island for p in places[present].tolist()])


def run(method, python, grid):
    """Run one method; return its record, or why there is none."""
    script = Path(__file__).with_name("coordinate_methods.py")
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    alone = {f"{name}_NUM_THREADS": "1" for name in names}
    result = grid.with_suffix(".json")
    result.unlink(missing_ok=True)
    done = subprocess.run(
        [python, str(script), method, str(grid), str(result)],
        env=os.environ | alone,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if not result.exists():
        return {"absent": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(result.read_text())


def error_px(found, truth, judged):
    """Return root mean square and largest distance over the tiles that are judged."""
    off = (np.asarray(found) - truth)[judged]
    off -= np.median(off, axis=0)
    distance = np.hypot(*off.T)
    return float(np.sqrt(np.mean(distance**2))), float(distance.max())


def report(name, runs, methods):
    """Print one grid, medians over its seeds."""
    print(f"\n{name}: {len(runs)} seeds")
    print(
        f"{'method':18} {'RMSE px':>8} {'worst px':>9} {'CPU s':>7} {'MB':>6} {'/RMSE':>6} "
        f"{'/CPU':>6}"
    )
    first = None
    for method in methods:
        kept = [run[method] for run in runs if "absent" not in run[method]]
        if not kept:
            print(f"{method:18} absent: {runs[0][method]['absent']}")
            continue
        rmse, cpu, mb = (median(k[key] for k in kept) for key in ("rmse", "cpu_s", "extra_mb"))
        first = first or (rmse, cpu)
        worst = max(k["worst"] for k in kept)
        print(
            f"{method:18} {rmse:8.3f} {worst:9.2f} {cpu:7.2f} {mb:6.0f} "
            f"{rmse / first[0]:6.1f} {cpu / first[1]:6.1f}"
            + (f"  ({len(runs) - len(kept)} failed)" if len(kept) < len(runs) else ""),
            flush=True,
        )


class Bench:
    """What is measured, and where results of peers are kept."""

    def __init__(self, options, folder):
        self.python, self.kind = options.peers_python, HARD if options.hard else NORMAL
        self.folder, self.keep = Path(folder), options.keep and Path(options.keep)
        self.label = "-hard" if options.hard else ""

    def measure(self, name, seed, methods):
        """Run all methods on one grid; return their records."""
        grid = self.folder / f"{name}-{seed}.npz"
        truth, judged = simulate(grid, name, seed, self.kind)
        records = {}
        for method in methods:
            kept = self.keep and self.keep / f"{name}-{seed}{self.label}-{method}.json"
            if kept and kept.exists() and method != "octflow":
                records[method] = json.loads(kept.read_text())
                continue
            record = run(method, sys.executable if method == "octflow" else self.python, grid)
            if "absent" not in record:
                record["rmse"], record["worst"] = error_px(record["positions_px"], truth, judged)
            records[method] = record
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(record))
        grid.unlink()
        return records


def main():
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", default=",".join(GRIDS), help="among " + ", ".join(GRIDS))
    parser.add_argument("--seeds", default="10,11,12")
    parser.add_argument("--peers", default=",".join(PEERS), help="empty for none")
    parser.add_argument("--peers-python", default=sys.executable, help="has the peers installed")
    parser.add_argument("--hard", action="store_true", help="less contrast, more background")
    parser.add_argument("--keep", help="folder of the results of peers")
    options = parser.parse_args()
    methods = ["octflow", *filter(None, options.peers.split(","))]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, folder)
        for name in options.grids.split(","):
            report(name, [bench.measure(name, seed, methods) for seed in seeds], methods)


if __name__ == "__main__":
    main()
