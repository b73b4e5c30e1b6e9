"""How near the truth the fibres of voxels come, by depth below the surface, and what they cost.

    python benchmarks/voxels.py FOLDER    slice 1, simulated, reconstructed as in docs/accuracy.md

A-lines of tissue with a birefringence of 2e-4 and more count. The frames of truth and volume, which
differ by a fraction of a pixel, are taken as one. Costs are seconds of the processor on one thread,
the fewest of 3, of a block in the middle of the volume that is in memory.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.layout import flag
from octflow.core.names import mosaic_name
from octflow.io.nifti import read_nifti
from octflow.io.omezarr import read_volume
from octflow.io.records import listed, read_record
from octflow.simulate.accuracy import SIGNAL_DN
from octflow.simulate.axes import angles_deg, unit_axes, voxel_errors
from octflow.stages.register.local import depth_window
from octflow.stages.register.sampling import sampled_block
from octflow.stages.register.solid import Solid, SolidView

EDGES_PX = (0, 20, 50, 80, 110, 150, 220, 400)
"""Depths below the surface between which errors are pooled."""
TOP_PX = 30
"""Depth of the shallowest surface in a volume: the default of volume.offset_px."""
NEAR_PX, EVEN_DEG = 4, 20
"""A-lines whose neighbours this near are within this angle count as even tissue."""


def volumes_of(project: Path) -> dict[str, NDArray[np.float32]]:
    """Read the volumes of fibres of slice 1."""
    record = read_record(project / flag("register_volumes", slice=1))
    found = {role: listed(record, role)[0] for role in ("inclination", "azimuth")}
    return {role: np.asarray(read_volume(project / one.path)[:]) for role, one in found.items()}


def even(true: dict[str, NDArray]) -> NDArray[np.bool_]:
    """Return where the true axis turns by less than 20 degrees within 4 pixels: away from rims."""
    axes = unit_axes(true["azimuth"], true["inclination"])
    steps = product(range(-NEAR_PX, NEAR_PX + 1), repeat=2)
    turns = [angles_deg(np.roll(axes, by, axis=(1, 2)), axes) for by in steps]
    return np.asarray(np.max(turns, axis=0) < EVEN_DEG)


def show(
    volumes: dict[str, NDArray],
    true: dict[str, NDArray],
    top_px: NDArray,
    among: NDArray[np.bool_],
) -> None:
    """Print the table of some A-lines."""
    chosen = (true["tissue"] > 0.99) & (true["dn"] >= SIGNAL_DN) & among
    depth_px = np.arange(len(volumes["azimuth"]))[:, None, None] - top_px
    head = ("depth, px", "known", "inclination, deg", "95 %", "axis, deg", "95 %")
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for shallow, deep in pairwise(EDGES_PX):
        here = (depth_px >= shallow) & (depth_px < deep) & chosen
        part = {role: np.where(here, volume, np.nan) for role, volume in volumes.items()}
        errors = voxel_errors(part, true, chosen)
        known = np.isfinite(part["azimuth"]).sum() / max(here.sum(), 1)
        numbers = [np.percentile(one, q) for one in errors if one.size for q in (50, 95)]
        cells = [f"{shallow} to {deep}", f"{known:.2f}", *(f"{n:.1f}" for n in numbers)]
        print("| " + " | ".join(cells) + " |")


def show_costs(project: Path) -> None:
    """Print what a voxel costs: brought from one view to the other, and solved for fibres."""
    views = [contrasts_of(project, mosaic) for mosaic in (1, 2)]
    matrix = np.array([[0.966, -0.009, 0.065, -10], [0.008, 1, 0, -3], [0, 0, 1.035, 0]])
    window = depth_window(60, largest_dn=3e-3, smoothing_px=1, wavelength_um=1.3, step_um=2.5)
    solid = Solid(
        [SolidView(0, views[0]), SolidView(-15, views[1], matrix, 0.5)], (1, 1), window, 0.9, 4e-4
    )
    where = (slice(0, 256), slice(32, 96), slice(64, 128))
    moved_ns = cost_ns(lambda: sampled_block(views[1][0], where, matrix), 256 * 64 * 64)
    fibres_ns = cost_ns(lambda: solid.block(*where), 256 * 64 * 64)
    print(f"ns per voxel: intensity brought over {moved_ns:.0f}, fibres {fibres_ns:.0f}")


def contrasts_of(
    project: Path, mosaic: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Read intensity, retardance and axis of a mosaic."""
    record = read_record(project / flag("join_volumes", mosaic=mosaic))
    paths = [project / listed(record, role)[0].path for role in ("dBI", "R3D", "O3D")]
    intensity, retardance, axis = (np.asarray(read_volume(path)[:]) for path in paths)
    return intensity, retardance, axis


def cost_ns(work: Callable[[], object], n_voxels: int) -> float:
    """Return the time of the processor per voxel, the least of 3, once all is compiled."""
    work()
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds) / n_voxels * 1e9


def main() -> None:
    """Read volumes and truth, print errors by depth, and costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds project and truth")
    folder = parser.parse_args().folder
    volumes = volumes_of(folder / "project")
    names = ("surface", "tissue", "dn", "azimuth", "inclination")
    maps = {n: read_nifti(folder / "truth" / mosaic_name(1, n, ".nii")) for n in names}
    n_y, n_x = np.min([maps["dn"].shape, volumes["azimuth"].shape[1:]], axis=0)
    true = {name: np.asarray(one, float)[:n_y, :n_x] for name, one in maps.items()}
    cut = {role: volume[:, :n_y, :n_x] for role, volume in volumes.items()}
    joined = read_record(folder / "project" / flag("join_volumes", mosaic=1))
    top_px = true["surface"] - float(joined.qc["base_px_dBI"] or 0) + TOP_PX
    show(cut, true, top_px, true["tissue"] > 0)
    print("the same away from rims, where the axis turns by less than 20 degrees within 4 px:")
    show(cut, true, top_px, even(true))
    show_costs(folder / "project")


if __name__ == "__main__":
    main()
