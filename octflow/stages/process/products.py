"""From the complex tile to all its products, in memory."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.core.instrument import FIRST_BIN, N_SPECTRAL
from octflow.stages.process.birefringence import birefringence
from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.enface import axis_mean_over, depth_window, max_over, mean_over
from octflow.stages.process.surface import (
    Surface,
    find_refined_surface,
    find_surface,
    find_surface_from_threshold,
    smooth_surface,
)
from octflow.stages.process.unfolding import fit_rotation

Maps = dict[str, NDArray[np.float32]]
Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Window:
    """The window of the maps and what turns its samples into units."""

    offset_px: int
    depth_px: int
    wavelength_um: float
    voxel_z_um: float


def surface_by(
    rule: Literal["find", "find-threshold", "find-refined"] | int | NDArray[np.float32],
    intensity_db: NDArray[np.float32],
    threshold_db: float,
) -> Surface:
    """Find the surface by the rule of that name, or take the one that is given.

    Parameters
    ----------
    rule : {"find", "find-threshold", "find-refined"}, int or (Y, X) array
        How, or depth indices, of which those beyond the volume become its first or last sample.
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    threshold_db : float
        Intensity of tissue, for "find-threshold".

    Returns
    -------
    surface : Surface
        Unfiltered. One that was given has a rise of NaN: it was not found.
    """
    if isinstance(rule, str):
        if rule == "find-threshold":
            return find_surface_from_threshold(intensity_db, threshold_db)
        return find_surface(intensity_db) if rule == "find" else find_refined_surface(intensity_db)
    shape = intensity_db.shape[1:]
    index_px = np.broadcast_to(np.clip(rule, 0, len(intensity_db) - 1), shape).astype(np.float32)
    return Surface(index_px, np.full(shape, np.nan, np.float32))


def roll_off(n_z: int, end_db: float) -> NDArray[np.float64]:
    """Return what the spectrometer loses with depth: the square of the Fourier bin, in dB.

    Parameters
    ----------
    n_z : int
        Depth samples.
    end_db : float
        Loss at the end of the depth range, positive.

    Returns
    -------
    loss_db : (Z,) float64 array
        To be added to the intensity.

    Examples
    --------
    >>> roll_off(1000, 3.0)[[0, 488, 999]].round(3).tolist()
    [0.002, 0.75, 2.994]
    """
    bins = np.arange(n_z) + FIRST_BIN
    loss_db: NDArray[np.float64] = end_db * (bins / (N_SPECTRAL / 2)) ** 2
    return loss_db


def window_of(surface: Surface, window: Window, n_z: int) -> Bounds:
    """Return the window (start, stop) of every A-line, below the 3 x 3 median of the surface."""
    smooth = smooth_surface(surface.index_px)
    return depth_window(smooth, offset_px=window.offset_px, depth_px=window.depth_px, n_z=n_z)


def enface_maps(volumes: Contrasts, surface: Surface, bounds: Bounds) -> Maps:
    """Compute the maps of a tile that say nothing of birefringence, by their names.

    Parameters
    ----------
    volumes : Contrasts
        Intensity, retardance and axis, (Z, Y, X).
    surface : Surface
        Unfiltered.
    bounds : (2,) (Y, X) int64 arrays
        As from `window_of`.

    Returns
    -------
    maps : dict of str to (Y, X) float32 array
        surf, surfraw (px, counted from 0), aip, mip (dB), ret (deg).
    """
    return {
        "surf": smooth_surface(surface.index_px),
        "surfraw": surface.index_px,
        "aip": mean_over(volumes.intensity_db, *bounds),
        "mip": max_over(volumes.intensity_db, *bounds),
        "ret": mean_over(volumes.retardance_deg, *bounds),
    }


def slope_maps(
    retardance_deg: NDArray[np.float32] | None,
    axis_deg: NDArray[np.float32] | None,
    bounds: Bounds,
    window: Window,
) -> Maps:
    """Return ori and biref as mean of the axes and slope of the retardance, where these are there.

    Parameters
    ----------
    retardance_deg, axis_deg : (Z, Y, X) float32 arrays, optional
        Without one, the map that is made of it is left out.
    bounds : (2,) (Y, X) int64 arrays
        As from `window_of`.
    window : Window
        Gives the units of birefringence.
    """
    maps = {}
    if axis_deg is not None:
        maps["ori"] = axis_mean_over(axis_deg, *bounds)
    if retardance_deg is not None:
        optics = window.wavelength_um, window.voxel_z_um
        maps["biref"] = birefringence(retardance_deg, *bounds, *optics)
    return maps


def rotation_maps(volumes: Contrasts, bounds: Bounds, window: Window, max_delta_n: float) -> Maps:
    """Return ori and biref as axis and rate of the turning polarisation."""
    rotation = fit_rotation(
        volumes,
        *bounds,
        offset_px=window.offset_px,
        wavelength_um=window.wavelength_um,
        voxel_z_um=window.voxel_z_um,
        max_delta_n=max_delta_n,
    )
    return {"ori": rotation.axis_deg, "biref": rotation.delta_n}
