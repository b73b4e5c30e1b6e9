"""Complex depth profiles of the two polarisation channels."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.instrument import FIRST_BIN, N_SPECTRAL
from octflow.simulate.fields import Floats

N_SCATTER = 512
"""Depth samples below the surface that scatter; deeper light is far below the noise."""
VESSEL_DB = -18.0
"""Intensity inside vessels against the tissue around."""
ROLL_OFF_DB = -3.0
"""Loss of sensitivity over the whole depth range of the spectrometer."""


@dataclass(frozen=True)
class Column:
    """What decides the depth profile of every A-line; arrays (Y, X)."""

    start_px: Floats
    """Depth index of the surface in the data, fractional."""
    surface_db: Floats
    """Mean intensity at the surface."""
    attenuation_per_mm: Floats
    """Attenuation of the beam, one way."""
    birefringence: Floats
    """Apparent birefringence."""
    axis_deg: Floats
    """Axis as the instrument counts it."""


def jones_profiles(
    speckle: NDArray[np.complex64],
    dark: NDArray[np.uint8],
    column: Column,
    *,
    wavelength_um: float,
    voxel_z_um: float,
    axis_offset_deg: float,
) -> NDArray[np.complex64]:
    """Return the light that comes back from every depth below the surface.

    With a the scattered amplitude and delta the single-pass retardance of what lies above,
    J1 = a sin(delta) exp(2i (axis - offset)) and J2 = a cos(delta).

    Parameters
    ----------
    speckle : (Y, X, Z) complex64 array
        Scattering amplitude of mean square 1, from the surface down.
    dark : (Y, X, Z) uint8 array
        1 inside vessels.
    column : Column
        Properties of the A-lines.
    wavelength_um, voxel_z_um : float
        Centre wavelength, depth step.
    axis_offset_deg : float
        Offset of the axis.

    Returns
    -------
    profiles : (Y, 2, X, Z) complex64 array
        J1 and J2.
    """
    per_neper = 1e-3 * voxel_z_um  # two-way in intensity, hence one-way in amplitude
    amplitude = 10 ** (np.asarray(column.surface_db) / 20)
    angle = 2 * np.deg2rad(np.asarray(column.axis_deg) - axis_offset_deg)
    n_y, n_x, n_z = speckle.shape
    profiles = np.empty((n_y, 2, n_x, n_z), np.complex64)
    _compose(
        profiles,
        speckle,
        dark,
        amplitude,
        np.asarray(column.attenuation_per_mm) * per_neper,
        2 * np.pi * np.asarray(column.birefringence) * voxel_z_um / wavelength_um,
        np.exp(1j * angle),
        np.asarray(column.start_px) + FIRST_BIN,
    )
    return profiles


def roll_off(bins: Floats) -> Floats:
    """Return the amplitude left at a Fourier bin: a parabola in dB.

    Examples
    --------
    >>> bool(np.isclose(20 * np.log10(roll_off(np.array(1024.0))), ROLL_OFF_DB))
    True
    """
    return 10 ** (ROLL_OFF_DB / 20 * (bins / (N_SPECTRAL / 2)) ** 2)


_ROLL = np.log(10) * ROLL_OFF_DB / 20 / (N_SPECTRAL / 2) ** 2
_VESSEL = np.float32(10 ** (VESSEL_DB / 20))


@njit(cache=True, nogil=True)
def _compose(
    profiles: NDArray[np.complex64],
    speckle: NDArray[np.complex64],
    dark: NDArray[np.uint8],
    amplitude: Floats,
    decay: Floats,
    retard: Floats,
    axis: NDArray[np.complex128],
    start: Floats,
) -> None:
    """Fill `profiles`; decay and retard are per depth sample, start is a Fourier bin."""
    n_y, n_x, n_z = speckle.shape
    for i in range(n_y):
        for j in range(n_x):
            for k in range(n_z):
                depth = start[i, j] + k
                level = amplitude[i, j] * np.exp(_ROLL * depth * depth - decay[i, j] * k)
                if dark[i, j, k]:
                    level *= _VESSEL
                light = np.float32(level) * speckle[i, j, k]
                delta = retard[i, j] * k
                profiles[i, 0, j, k] = light * np.sin(delta) * axis[i, j]
                profiles[i, 1, j, k] = light * np.cos(delta)
