"""Distances of fibre axes from true ones: of maps, and of the voxels of volumes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def unit_axes(azimuth_deg: ArrayLike, inclination_deg: ArrayLike) -> Floats:
    """Return unit vectors (x, y, z), stacked first, z deeper.

    Examples
    --------
    >>> unit_axes([90.0], [30.0]).round(3).ravel().tolist()
    [0.0, 0.866, 0.5]
    """
    azimuth, inclination = np.deg2rad(azimuth_deg), np.deg2rad(inclination_deg)
    flat = np.cos(inclination)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(inclination)])


def angles_deg(found: Floats, true: Floats) -> Floats:
    """Return the angles between axes (3, ...) of either sign, in degrees."""
    cosine = np.abs(np.sum(found * true, axis=0))
    return np.rad2deg(np.arccos(np.clip(cosine, 0, 1)))


def voxel_errors(
    volumes: Mapping[str, Any], true: Mapping[str, Floats], chosen: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Compare the fibres of voxels with true ones, which are the same along depth.

    Parameters
    ----------
    volumes : dict of (Z, Y, X) arrays
        `inclination` and `azimuth` in degrees, NaN where not known; in memory or on disk.
    true : dict of (Y, X) arrays
        The same of the truth.
    chosen : (Y, X) array of bool
        A-lines that count.

    Returns
    -------
    inclination_deg, axis_deg : (N,) array
        Sizes of the errors of all voxels that have a value, at most 180 and 90 degrees.
    """
    names = ("inclination", "azimuth")
    found = {name: np.asarray(volumes[name][:], float)[:, chosen] for name in names}
    there = np.isfinite(found["inclination"]) & np.isfinite(found["azimuth"])
    at = {name: found[name][there] for name in names}
    expected = {name: np.broadcast_to(true[name][chosen], there.shape)[there] for name in names}
    axes = (unit_axes(one["azimuth"], one["inclination"]) for one in (at, expected))
    return np.abs(at["inclination"] - expected["inclination"]), angles_deg(*axes)
