"""From the complex tile to all its products, in memory."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.stages.process.birefringence import birefringence
from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.enface import axis_mean_over, depth_window, max_over, mean_over
from octflow.stages.process.scattering import scattering
from octflow.stages.process.surface import (
    Surface,
    find_surface,
    find_surface_from_threshold,
    smooth_surface,
)

DEEP_PX = 100
"""Deepest samples, whose median intensity is the noise floor."""

Maps = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Window:
    """The window of the maps and what turns its samples into units."""

    offset_px: int
    depth_px: int
    wavelength_um: float
    voxel_z_um: float


def surface_by(
    rule: Literal["find", "find-threshold"] | int,
    intensity_db: NDArray[np.float32],
    threshold_db: float,
) -> Surface:
    """Find the surface by the rule of that name, or set it to a constant depth index.

    Parameters
    ----------
    rule : {"find", "find-threshold"} or int
        How; an index beyond the volume becomes its last sample.
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    threshold_db : float
        Intensity of tissue, for "find-threshold".

    Returns
    -------
    surface : Surface
        Unfiltered. A constant has a rise of NaN: it was not found.
    """
    if rule == "find":
        return find_surface(intensity_db)
    if rule == "find-threshold":
        return find_surface_from_threshold(intensity_db, threshold_db)
    shape = intensity_db.shape[1:]
    index_px = np.full(shape, min(int(rule), len(intensity_db) - 1), np.float32)
    return Surface(index_px, np.full(shape, np.nan, np.float32))


def enface_maps(
    volumes: Contrasts, surface: Surface, window: Window, *, with_scattering: bool = False
) -> Maps:
    """Compute all maps of a tile by their names.

    Parameters
    ----------
    volumes : Contrasts
        Intensity, retardance and axis, (Z, Y, X).
    surface : Surface
        Unfiltered; the window lies below its 3 x 3 median.
    window : Window
        The window below the surface.
    with_scattering : bool
        Compute `mus`, which takes longest.

    Returns
    -------
    maps : dict of str to (Y, X) float32 array
        surf, surfraw (px, counted from 0), aip, mip (dB), ret, ori (deg), biref, mus (1/mm).
    """
    surf = smooth_surface(surface.index_px)
    n_z = len(volumes.intensity_db)
    bounds = depth_window(surf, offset_px=window.offset_px, depth_px=window.depth_px, n_z=n_z)
    maps: Maps = {
        "surf": surf,
        "surfraw": surface.index_px,
        "aip": mean_over(volumes.intensity_db, *bounds),
        "mip": max_over(volumes.intensity_db, *bounds),
        "ret": mean_over(volumes.retardance_deg, *bounds),
        "ori": axis_mean_over(volumes.axis_deg, *bounds),
        "biref": birefringence(
            volumes.retardance_deg, *bounds, window.wavelength_um, window.voxel_z_um
        ),
    }
    if with_scattering:
        maps["mus"] = scattering(volumes.intensity_db, *bounds, window.voxel_z_um / 1000)
    return maps


def noise_floor_db(intensity_db: NDArray[np.float32]) -> float:
    """Return the median of the deepest 100 samples of a volume (Z, Y, X).

    Examples
    --------
    >>> noise_floor_db(np.arange(300, dtype=np.float32)[:, None, None])
    249.5
    """
    return float(np.median(intensity_db[-DEEP_PX:]))


def judge_tile(
    maps: Maps, surface: Surface, *, noise_db: float, min_step_db: float
) -> dict[str, float]:
    """Measure how good a tile is.

    Parameters
    ----------
    maps : dict of str to (Y, X) float32 array
        As from `enface_maps`.
    surface : Surface
        Unfiltered.
    noise_db : float
        Noise floor.
    min_step_db : float
        Rise that makes a surface believable.

    Returns
    -------
    qc : dict of str to float
        noise_floor_db; snr_db, the median peak of the window above the noise floor;
        surface_roughness_px, the mean distance of surface and median-filtered surface;
        surface_found_fraction, where the surface was found and not given.
    """
    qc = {
        "noise_floor_db": noise_db,
        "snr_db": float(np.median(maps["mip"])) - noise_db,
        "surface_roughness_px": float(np.abs(maps["surfraw"] - maps["surf"]).mean(dtype=float)),
    }
    if np.isfinite(surface.step_db).all():
        qc["surface_found_fraction"] = float(np.mean(surface.step_db >= min_step_db))
    return qc
