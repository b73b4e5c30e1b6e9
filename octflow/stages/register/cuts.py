"""Cuts through registered volumes, for people to look at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.io.omezarr import read_volume
from octflow.io.picture import WINDOWS, Panel, panel_of
from octflow.stages.register.oblique import coarser
from octflow.stages.register.sampling import Source, Volume, read_padded, sampled_block

_LONGEST_PX = 1024
"""Cuts are made in the first level that is not longer than this."""


def shown_level(path: Path) -> int:
    """Return the level of a volume that cuts are made in."""
    level = 0
    while max(read_volume(path, level).shape) > _LONGEST_PX:
        level += 1
    return level


def overlay_panels(
    name: str, fixed: Source, moving: Source, matrix: NDArray[np.float64], level: int
) -> list[Panel]:
    """Lay the moving intensity (green) over the fixed one (magenta) in cuts along x and along y.

    Parameters
    ----------
    name : str
        Illumination of the moving volume.
    fixed, moving : (Z, Y, X) array
        The same level of both, in dB.
    matrix : (3, 4) array
        Fixed voxel (x, y, z, 1) to moving voxel (x, y, z), of the finest level.
    level : int
        Which level it is.
    """
    n_z, n_y, n_x = fixed.shape
    mapped = coarser(matrix, 2**level)
    cuts = {
        "x-z": (slice(0, n_z), slice(n_y // 2, n_y // 2 + 1), slice(0, n_x)),
        "y-z": (slice(0, n_z), slice(0, n_y), slice(n_x // 2, n_x // 2 + 1)),
    }
    panels = []
    for plane, where in cuts.items():
        one, other = (
            _levels(np.squeeze(block, axis=1 if plane == "x-z" else 2))
            for block in (read_padded(fixed, where), sampled_block(moving, where, mapped))
        )
        picture = np.stack([one, other, one], axis=-1)
        panels.append(Panel(f"{name} (green) on the fixed view, {plane}", picture))
    return panels


def inclination_panels(path: Path) -> list[Panel]:
    """Show the inclination of every voxel in cuts along x and along y."""
    volume = read_volume(path, shown_level(path))
    _, n_y, n_x = volume.shape
    cuts = {"x-z": volume[:, n_y // 2], "y-z": volume[:, :, n_x // 2]}
    return [
        replace(panel_of("ori", np.asarray(cut), f"inclination, {plane}"), turning=0)
        for plane, cut in cuts.items()
    ]


def _levels(intensity_db: Volume) -> NDArray[np.uint8]:
    """Show intensity as grey levels; what is not there is black."""
    low, high = WINDOWS["dBI"]
    scaled = (np.nan_to_num(intensity_db, nan=low) - low) / (high - low)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
