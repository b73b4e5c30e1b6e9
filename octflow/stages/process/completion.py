"""From delivered volumes and maps to those that are missing, in memory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.gates import judged
from octflow.core.instrument import Instrument
from octflow.stages.process.contrast import Contrasts
from octflow.stages.process.enface import depth_window, max_over, mean_over
from octflow.stages.process.products import (
    Bounds,
    Maps,
    Window,
    rotation_maps,
    slope_maps,
    surface_by,
)
from octflow.stages.process.quality import (
    judge_tile,
    mean_noise,
    noise_floor_db,
    refuse,
)
from octflow.stages.process.scattering import scattering
from octflow.stages.process.settings import ProcessSettings, SurfaceRule
from octflow.stages.process.surface import smooth_surface
from octflow.stages.process.tile import ProcessedTile, bounds_of, window_for


def complete_tile(
    delivered: Mapping[str, NDArray[np.float32]],
    path: Path,
    surface: SurfaceRule | int | NDArray[np.float32],
    instrument: Instrument,
    settings: ProcessSettings,
) -> ProcessedTile:
    """Compute the maps that are not delivered from the volumes that are.

    Parameters
    ----------
    delivered : dict of str to float32 array
        Volumes (Z, Y, X), of which dBI is needed, and maps (Y, X), by modality. A delivered surface
        places the window.
    path : Path
        Names the tile in errors.
    surface : str, int or (Y, X) array
        Rule, or the surface itself, of the one that is computed.
    instrument : Instrument
        Gives wavelength and depth step.
    settings : ProcessSettings
        Window, birefringence, scattering, judgement.

    Returns
    -------
    tile : ProcessedTile
        What is not delivered, as far as the volumes allow: surf, surfraw, aip, mip and mus need
        dBI, ret and biref R3D, ori O3D, and birefringence beyond the fold all three.

    Raises
    ------
    DataError
        A number misses the bound from which tiles are refused.
    """
    intensity_db = delivered["dBI"]
    found = surface_by(surface, intensity_db, settings.surface_threshold_db)
    surf = delivered["surf"] if "surf" in delivered else smooth_surface(found.index_px)
    window = window_for(instrument, settings)
    bounds = depth_window(
        surf, offset_px=window.offset_px, depth_px=window.depth_px, n_z=len(intensity_db)
    )
    maps = {"surf": surf, "surfraw": found.index_px} | _maps(delivered, bounds, window, settings)
    maps |= {role: array for role, array in delivered.items() if array.ndim == 2}
    qc = judge_tile(
        maps,
        found,
        intensity_db,
        noise_db=noise_floor_db(intensity_db),
        min_step_db=settings.min_surface_step_db,
    )
    gates = judged(qc, bounds_of(settings.gates))
    refuse(path, gates)
    return ProcessedTile({r: a for r, a in maps.items() if r not in delivered}, qc, gates)


def _maps(
    delivered: Mapping[str, NDArray[np.float32]],
    bounds: Bounds,
    window: Window,
    settings: ProcessSettings,
) -> Maps:
    """Compute every map of the window whose volumes are there."""
    intensity_db = delivered["dBI"]
    maps = {"aip": mean_over(intensity_db, *bounds), "mip": max_over(intensity_db, *bounds)}
    retardance_deg, axis_deg = delivered.get("R3D"), delivered.get("O3D")
    if retardance_deg is not None:
        maps["ret"] = mean_over(retardance_deg, *bounds)
    if settings.birefringence == "fold" and retardance_deg is not None and axis_deg is not None:
        volumes = Contrasts(intensity_db, retardance_deg, axis_deg)
        maps |= rotation_maps(volumes, bounds, window, settings.max_delta_n)
    else:
        maps |= slope_maps(retardance_deg, axis_deg, bounds, window)
    if settings.scattering:
        noise = mean_noise(intensity_db) if settings.scattering_noise == "subtract" else None
        subtracted = None if noise is None else np.full(len(intensity_db), noise)
        maps["mus"] = scattering(intensity_db, *bounds, window.voxel_z_um / 1000, subtracted)
    return maps
