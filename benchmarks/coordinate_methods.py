"""One method that finds tile coordinates, on one grid, in a process of its own.

    python benchmarks/coordinate_methods.py METHOD GRID.npz FOUND.json

Started by benchmarks/coordinates.py. Only `octflow` needs our package; each peer needs its own.
Ours gets decibels, as the stage does; the peers get linear intensities, as they expect.
"""

import contextlib
import copy
import importlib
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

SEARCH_PX, TISSUE_DB = 24, 52


class Scan:
    """Tiles (N, Y, X) in dB, places (N, 2) in the grid, nominal positions (N, 2) in px, x first."""

    def __init__(self, path):
        with np.load(path) as kept:
            self.tiles, self.places, self.step_px = kept["tiles"], kept["places"], kept["step_px"]
            self.size = tuple(int(n) for n in kept["size"])

    @property
    def nominal_px(self):
        """Nominal positions (N, 2)."""
        return self.places * self.step_px

    def corner(self):
        """Return the scan of 3 x 3 tiles only."""
        part = copy.copy(self)
        kept = (self.places < 3).all(axis=1)
        part.tiles, part.places, part.size = self.tiles[kept], self.places[kept], (3, 3)
        return part

    def step(self, i, j):
        """Return the nominal offset (x, y) of tile j from tile i in whole pixels."""
        return np.rint(self.nominal_px[j] - self.nominal_px[i]).astype(int).tolist()

    def pairs(self, threshold_db=-np.inf):
        """List neighbours whose nominal overlap is brighter than a threshold in both."""
        tile_at = {tuple(place): i for i, place in enumerate(self.places.tolist())}
        nexts = [
            (i, tile_at.get(place))
            for (x, y), i in tile_at.items()
            for place in ((x + 1, y), (x, y + 1))
        ]
        return [(i, j) for i, j in nexts if j is not None and self._level(i, j) >= threshold_db]

    def _level(self, i, j):
        (dx, dy), (n_y, n_x) = self.step(i, j), self.tiles.shape[1:]
        overlaps = self.tiles[i, dy:, dx:], self.tiles[j, : n_y - dy, : n_x - dx]
        return min(float(overlap.mean()) for overlap in overlaps)

    def linear(self):
        """Return intensities; the mean of all is 1."""
        linear = np.exp(self.tiles * np.float32(np.log(10) / 10))
        return linear / linear.mean(dtype=float)


def octflow(scan):
    """Ours: links and solution as in the rule find_tilemap."""
    from octflow.stages.stitch.coordinates import find_positions

    grid = {x * scan.size[1] + y: (x, y) for x in range(scan.size[0]) for y in range(scan.size[1])}
    ids = [x * scan.size[1] + y for x, y in scan.places.tolist()]
    solution = find_positions(
        dict(zip(ids, scan.tiles, strict=True)),
        grid,
        step_px=tuple(scan.step_px.tolist()),
        search_px=SEARCH_PX,
        min_confidence=6,
        mask_threshold_db=TISSUE_DB,
    )
    return [solution.positions_px[tile] for tile in ids]


def skimage(scan):
    """Cross-correlation of overlaps over tissue; least squares over the shifts within reach."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import lsqr
    from skimage.registration import phase_cross_correlation

    linear, tissue = scan.linear(), set(scan.pairs(TISSUE_DB))
    pairs, offsets, weights = scan.pairs(), [], []
    for i, j in pairs:
        (dx, dy), (n_y, n_x) = scan.step(i, j), linear.shape[1:]
        a, b = linear[i, dy:, dx:], linear[j, : n_y - dy, : n_x - dx]
        shift, *_ = phase_cross_correlation(
            a - a.mean(), b - b.mean(), upsample_factor=20, normalization=None
        )
        found = (i, j) in tissue and np.abs(shift).max() <= SEARCH_PX
        offsets.append((dx + shift[1], dy + shift[0]) if found else (dx, dy))
        weights.append(1.0 if found else 0.1)
    n, signs = len(pairs), np.multiply.outer(weights, [-1.0, 1.0]).ravel()
    matrix = csr_array((signs, (np.repeat(np.arange(n), 2), np.ravel(pairs))), (n, len(linear)))
    right = np.transpose(offsets) * weights
    return np.stack([lsqr(matrix, column)[0] for column in right], axis=1)


def ashlar(scan, sigma=1.0):
    """Aligner of ashlar, search of 24 px, from whole pixels: it drops fractions."""
    from ashlar import reg

    linear, nominal_px = scan.linear(), np.rint(scan.nominal_px)

    class Metadata(reg.Metadata):
        _num_images = property(lambda _: len(linear))
        num_channels = property(lambda _: 1)
        pixel_size = property(lambda _: 1.0)
        pixel_dtype = property(lambda _: np.dtype("float32"))
        num_images = property(lambda _: len(linear))

        def tile_position(self, i):
            return nominal_px[i][::-1]

        def tile_size(self, i):
            return np.array(linear.shape[1:])

    class Reader(reg.Reader):
        def __init__(self):
            self.metadata = Metadata()

        def read(self, series, c):
            return linear[series]

    aligner = reg.EdgeAligner(Reader(), max_shift=SEARCH_PX, filter_sigma=sigma)
    aligner.run()
    return aligner.positions[:, ::-1]


def ashlar_3(scan):
    """Ashlar with the filter that suits such grids best, of 0, 1, 2 and 3 px."""
    return ashlar(scan, sigma=3.0)


def m2stitch(scan):
    """Run the algorithm of MIST; its correlation is not centred, so the threshold is low."""
    from m2stitch import stitch_images

    initial = np.rint(scan.nominal_px[:, ::-1]).astype(int)
    frame, _ = stitch_images(
        scan.linear(),
        rows=scan.places[:, 1].tolist(),
        cols=scan.places[:, 0].tolist(),
        position_initial_guess=initial,
        ncc_threshold=0.02,
        row_col_transpose=False,
    )
    frame = frame.sort_index()
    return np.stack([frame["x_pos"], frame["y_pos"]], axis=1)


def multiview(scan, **options):
    """multiview-stitcher, phase correlation, its own solver and tolerance unless told."""
    import dask
    from multiview_stitcher import msi_utils, registration, spatial_image_utils

    dask.config.set(scheduler="synchronous")
    pictures = []
    for tile, (x, y) in zip(scan.linear(), scan.nominal_px.tolist(), strict=True):
        image = spatial_image_utils.get_sim_from_array(
            tile,
            dims=["y", "x"],
            scale={"y": 1.0, "x": 1.0},
            translation={"y": y, "x": x},
            transform_key="stage",
        )
        pictures.append(msi_utils.get_msim_from_sim(image, scale_factors=[]))
    registration.register(
        pictures,
        transform_key="stage",
        new_transform_key="found",
        reg_channel_index=0,
        **options,
    )
    moved = [
        np.asarray(msi_utils.get_transform_from_msim(picture, "found")).reshape(3, 3)[:2, 2]
        for picture in pictures
    ]
    return scan.nominal_px + np.array(moved)[:, ::-1]


def multiview_linear(scan, **options):
    """multiview-stitcher with its other solver, the more accurate one on such grids."""
    return multiview(scan, groupwise_resolution_method="linear_two_pass", **options)


def multiview_tissue(scan):
    """Run the same on overlaps over tissue only; a background link may be off by any amount."""
    return multiview_linear(scan, pairs=scan.pairs(TISSUE_DB))


METHODS = {
    "octflow": (octflow, "octflow.stages.stitch.coordinates"),
    "skimage": (skimage, "skimage.registration", "scipy.sparse.linalg"),
    "ashlar": (ashlar, "ashlar.reg"),
    "ashlar-3": (ashlar_3, "ashlar.reg"),
    "m2stitch": (m2stitch, "m2stitch"),
    "multiview": (multiview, "multiview_stitcher.registration", "multiview_stitcher.msi_utils"),
    "multiview-linear": (multiview_linear, "multiview_stitcher.registration"),
    "multiview-tissue": (multiview_tissue, "multiview_stitcher.registration"),
}


def memory_mb(key):
    """Return what the kernel says of this process: memory now (VmRSS) or at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def main(name, path, result):
    """Run one method on one grid; a run on a corner of the grid before it does not count."""
    method, *modules = METHODS[name]
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        Path(result).write_text(json.dumps({"absent": str(error)}))
        return
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        scan = Scan(path)
        with contextlib.suppress(Exception):
            method(scan.corner())  # loads what is loaded late, and compiled code
        before_mb = memory_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        started, wall = time.process_time(), time.perf_counter()
        positions = np.asarray(method(scan), float)
    found = {
        "positions_px": positions.tolist(),
        "cpu_s": time.process_time() - started,
        "wall_s": time.perf_counter() - wall,
        "extra_mb": memory_mb("VmHWM") - before_mb,
    }
    Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
