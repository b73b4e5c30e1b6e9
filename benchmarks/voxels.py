"""How near the truth the fibres of voxels come, by depth below the surface.

    python benchmarks/voxels.py FOLDER    slice 1, simulated, reconstructed as in docs/accuracy.md

A-lines of tissue with a birefringence of 2e-4 and more count. The frames of truth and volume, which
differ by a fraction of a pixel, are taken as one.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.layout import flag
from octflow.core.names import mosaic_name
from octflow.io.nifti import read_nifti
from octflow.io.omezarr import read_volume
from octflow.io.records import listed, read_record
from octflow.simulate.accuracy import SIGNAL_DN
from octflow.simulate.axes import voxel_errors

EDGES_PX = (0, 20, 50, 80, 110, 150, 220, 400)
"""Depths below the surface between which errors are pooled."""
TOP_PX = 30
"""Depth of the shallowest surface in a volume: the default of volume.offset_px."""


def volumes_of(project: Path) -> dict[str, NDArray[np.float32]]:
    """Read the volumes of fibres of slice 1."""
    record = read_record(project / flag("register_volumes", slice=1))
    found = {role: listed(record, role)[0] for role in ("inclination", "azimuth")}
    return {role: np.asarray(read_volume(project / one.path)[:]) for role, one in found.items()}


def show(volumes: dict[str, NDArray], true: dict[str, NDArray], top_px: NDArray) -> None:
    """Print the table."""
    chosen = (true["tissue"] > 0.99) & (true["dn"] >= SIGNAL_DN)
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


def main() -> None:
    """Read volumes and truth, print errors by depth."""
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
    show(cut, true, true["surface"] - float(joined.qc["base_px_dBI"] or 0) + TOP_PX)


if __name__ == "__main__":
    main()
