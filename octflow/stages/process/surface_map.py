"""A surface that is given as a map, in place of a rule that finds it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.io.nifti import read_nifti
from octflow.stages.process.settings import ProcessSettings, SurfaceRule


def surface_map(settings: ProcessSettings) -> Path | None:
    """Return the path of the map that is named instead of a rule, None where a rule is."""
    rule = str(settings.surface)
    return Path(rule) if rule.endswith((".nii", ".nii.gz")) else None


def surface_of(
    settings: ProcessSettings, illumination: Illumination
) -> SurfaceRule | int | NDArray[np.float32]:
    """Return the rule of the surface, or the map that is named instead of one.

    Parameters
    ----------
    settings : ProcessSettings
        Names rule or map.
    illumination : Illumination
        Gives the size of the map.

    Raises
    ------
    DataError
        The map has another shape, or values that are not finite.
    """
    if (path := surface_map(settings)) is None:
        rule: SurfaceRule | int = settings.surface  # type: ignore[assignment]
        return rule
    surface_px = np.asarray(read_nifti(path), np.float32)
    shape = (illumination.tile_size_y_px, illumination.tile_size_x_px)
    if surface_px.shape != shape:
        raise DataError(path, found=f"shape {surface_px.shape}", expected=f"(y, x) of {shape}")
    if bad := int(np.count_nonzero(~np.isfinite(surface_px))):
        raise DataError(path, found=f"{bad} values not finite", expected="a depth index each")
    return surface_px
