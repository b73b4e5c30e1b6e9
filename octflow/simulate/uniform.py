"""A block of tissue whose properties are the same everywhere: for tests and accuracy."""

import numpy as np
from numpy.typing import NDArray

from octflow.core.instrument import N_SPECTRAL, Instrument
from octflow.simulate.cameras import complex_noise, noise_floor
from octflow.simulate.fields import Floats
from octflow.simulate.profiles import N_SCATTER, Column, jones_profiles
from octflow.simulate.settings import CameraNoise
from octflow.simulate.speckle import speckle_field
from octflow.simulate.spectrometer import ideal_profiles, source_envelope

SURFACE_PX, SLOPE_Y, SLOPE_X = 150.3, 0.03, 0.05
"""Depth of the surface at the first A-line, and its growth per A-line along y and x."""


def uniform_jones(
    delta_n: float,
    *,
    snr_db: float,
    axis_deg: float = 25.0,
    attenuation_per_mm: float = 4.0,
    size_px: int = 16,
    seed: int = 1,
) -> tuple[NDArray[np.complex64], Floats]:
    """Return a square block as a perfect reconstruction finds it, with speckle and noise.

    Parameters
    ----------
    delta_n : float
        Apparent birefringence.
    snr_db : float
        Mean intensity at the surface above the mean intensity of noise, both channels together.
    axis_deg : float
        Axis as the instrument counts it.
    attenuation_per_mm : float
        Attenuation.
    size_px : int
        A-lines along x and y.
    seed : int
        Decides speckle and noise.

    Returns
    -------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first.
    surface_px : (Y, X) array
        Depth index of the surface, fractional.

    Examples
    --------
    >>> jones, surface_px = uniform_jones(1e-3, snr_db=20, size_px=2)
    >>> jones.shape, surface_px.round(2).tolist()
    ((2, 1000, 2, 2), [[150.3, 150.35], [150.33, 150.38]])
    """
    optics, noise = Instrument(), CameraNoise()
    y, x = np.mgrid[:size_px, :size_px]
    surface_px = SURFACE_PX + SLOPE_Y * y + SLOPE_X * x
    everywhere = np.ones(surface_px.shape)
    # The source spectrum blurs neighbouring scatterers together, which adds their intensities.
    blur = float(np.mean(source_envelope(np.arange(N_SPECTRAL)) ** 2))
    surface_db = 10 * np.log10(noise_floor(noise) / blur) + snr_db
    speckle = speckle_field(
        (seed,), position_px=(9, 9), size_px=(size_px, size_px), n_depth=N_SCATTER
    )
    lines = jones_profiles(
        speckle,
        np.zeros(speckle.shape, np.uint8),
        Column(
            start_px=surface_px,
            surface_db=surface_db * everywhere,
            attenuation_per_mm=attenuation_per_mm * everywhere,
            birefringence=delta_n * everywhere,
            axis_deg=axis_deg * everywhere,
        ),
        wavelength_um=optics.wavelength_um,
        voxel_z_um=optics.voxel_z_um,
        axis_offset_deg=100,
    )
    found = ideal_profiles(lines, surface_px)
    for i, line in enumerate(found):
        line += complex_noise(size_px, noise, (seed, i))
    return np.ascontiguousarray(found.transpose(1, 3, 0, 2)), surface_px
