"""Volumes of slices at any position and angle, without scanning tiles: what a stack is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.simulate.fields import Floats
from octflow.simulate.phantom import AGAR_DB, Phantom, tissue_at
from octflow.simulate.profiles import VESSEL_DB
from octflow.simulate.speckle import speckle_field
from octflow.simulate.vessels import vessel_mask

_DB_PER_NEPER = 20 / np.log(10)
_LINES = 32
"""Lines of A-lines made at a time, which bounds the memory."""


@dataclass(frozen=True)
class Cut:
    """How a sample is cut into slices, and how these are scanned."""

    thickness_um: float
    """Distance between the surfaces of consecutive slices."""
    surface_px: int
    """Depth index of the surface, everywhere: volumes are flattened."""
    n_depth: int
    """Depth samples of a volume."""
    voxel_um: float
    """Lateral size of a pixel."""
    voxel_z_um: float
    """Depth of a voxel."""


def slice_volume(
    phantom: Phantom, x: Floats, y: Floats, slice_id: int, cut: Cut, *, seed: int = 0
) -> NDArray[np.float32]:
    """Scan a slice that lies anywhere: attenuated tissue, dark vessels, speckle.

    Parameters
    ----------
    phantom : Phantom
        The sample.
    x, y : (Y, X) arrays
        Where in the sample every pixel of the slice lies, in px of the first view.
    slice_id : int
        Slice, from 1.
    cut : Cut
        Thickness and scale.
    seed : int
        Of the speckle, which sticks to the pixels of the slice.

    Returns
    -------
    volume : (Z, Y, X) float32 array
        Intensity in dB, with speckle; agar above the surface and beside the tissue.
    """
    volume = np.empty((cut.n_depth, *x.shape), np.float32)
    for first in range(0, x.shape[0], _LINES):
        lines = slice(first, first + _LINES)
        power = _powers(phantom, x[lines], y[lines], slice_id, cut)
        size = (power.shape[0], power.shape[1])
        key = (seed, slice_id, 0)
        seen = speckle_field(key, position_px=(first, 0), size_px=size, n_depth=cut.n_depth)
        # What is darkest is the noise of the detector, not the dark of a speckle.
        power *= np.abs(seen) ** 2 + 1e-3
        volume[:, lines] = np.moveaxis(10 * np.log10(power), -1, 0)
    return volume


def _powers(phantom: Phantom, x: Floats, y: Floats, slice_id: int, cut: Cut) -> Floats:
    """Return mean intensities (Y, X, Z)."""
    sample = tissue_at(phantom, x, y, slice_id)
    depth_um = (np.arange(cut.n_depth) - cut.surface_px) * cut.voxel_z_um
    loss_db = _DB_PER_NEPER * 1e-3 * sample.attenuation_per_mm[..., None] * depth_um
    level_db = sample.surface_db[..., None] - loss_db
    top_um = (slice_id - 1) * cut.thickness_um
    dark = vessel_mask(phantom.vessels, x * cut.voxel_um, y * cut.voxel_um, top_um + depth_um)
    level_db += VESSEL_DB * dark
    tissue = sample.tissue[..., None] & (depth_um >= 0)
    return np.asarray(10 ** (np.where(tissue, level_db, 0) / 10) * tissue + 10 ** (AGAR_DB / 10))
