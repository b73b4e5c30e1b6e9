"""Spectra to complex depth profiles, one B-line and channel at a time.

Definition, for every B-line and channel: subtract the mean over A-lines of every spectral sample;
interpolate onto equidistant wavenumbers; subtract the median over A-lines; multiply by
exp(-i phi), phi being the dispersion phase; Fourier transform; drop the first bins; conjugate.
"""

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.instrument import N_DEPTH, N_SPECTRAL
from octflow.core.spectra.fft import Recipe, fill_profiles, workspace
from octflow.core.spectra.median import fill_medians
from octflow.core.spectra.turning import turn, turned_samples
from octflow.core.spectra.wavenumber import Resampling


def spectral_phasor(
    n_spectral: int,
    *,
    dispersion_rad: NDArray[np.float64] | None = None,
    window: Literal["none", "hann"] = "none",
) -> NDArray[np.complex64]:
    """Return what resampled spectra are multiplied by: window times exp(+i phi).

    The sign is that of the conjugate, which `complex_tile` returns.

    Parameters
    ----------
    n_spectral : int
        Samples K of a spectrum.
    dispersion_rad : (K,) or (2 * K,) float64 array, optional
        Phase to be taken out, for both cameras or for one after the other.
    window : {"none", "hann"}
        Periodic Hann window, 1 in the middle.

    Returns
    -------
    phasor : (2, K) complex64 array
        One per channel.

    Examples
    --------
    >>> spectral_phasor(4, window="hann")[0].real.tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    phase = np.zeros(n_spectral) if dispersion_rad is None else dispersion_rad
    phase = np.broadcast_to(phase.reshape(-1, n_spectral), (2, n_spectral))
    taper = np.ones(n_spectral)
    if window == "hann":
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_spectral) / n_spectral)
    phasor: NDArray[np.complex64] = (taper * np.exp(1j * phase)).astype(np.complex64)
    return phasor


def complex_tile(
    spectra: NDArray[np.uint16],
    tables: tuple[Resampling, Resampling],
    phasor: NDArray[np.complex64],
    *,
    jones: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Reconstruct the complex depth profiles of a tile, or of some of its B-lines.

    Parameters
    ----------
    spectra : (Y, 2, X, K) uint16 array
        Camera counts as stored.
    tables : (2,) Resampling
        Interpolation of channel 1 and of channel 2, as stored: a channel stored in reverse has
        a reversed table.
    phasor : (2, K) complex64 array
        Window and conjugate dispersion correction per channel, as from `spectral_phasor`.
    jones : (2, Z, Y, X) complex64 array, optional
        Filled and returned, A-lines adjacent: fresh memory costs about as much as the Fourier
        transforms.

    Returns
    -------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first: the conjugate of the Fourier bins 24 to 1023, unnormalised. The
        fringe cos(2 z (k - k_max) + p) of a reflector at depth z gives the phase +p.

    Raises
    ------
    ValueError
        Spectra of another length, or A-lines of `jones` that are not adjacent.
    """
    n_y, _, n_x, n_spectral = spectra.shape
    if n_spectral != N_SPECTRAL:
        raise ValueError(f"found {n_spectral} samples of a spectrum, expected {N_SPECTRAL}")
    if jones is None:
        jones = np.empty((2, N_DEPTH, n_y, n_x), np.complex64)
    if jones.strides[-1] != jones.itemsize:
        raise ValueError("found A-lines apart in memory, expected adjacent ones")
    samples, medians = turned_samples(n_spectral, n_x), np.empty(n_spectral, np.float32)
    space = workspace()
    for y in range(n_y):
        for channel, (before, weight) in enumerate(tables):
            turn(np.ascontiguousarray(spectra[y, channel]), samples)
            fill_medians(samples, before, weight, n_x, medians)
            # Fringes are real: the conjugate is the unnormalised inverse with the other phase.
            recipe = Recipe(before, weight, medians, phasor[channel])
            fill_profiles(samples, recipe, space, jones[channel, :, y])
    return jones


@njit(nogil=True, cache=True)
def saturated_count(spectra: NDArray[np.uint16], full_scale_counts: int) -> int:
    """Count the samples at or above the full scale of the camera.

    Parameters
    ----------
    spectra : (Y, 2, X, K) uint16 array
        Camera counts.
    full_scale_counts : int
        Count from which a sample is saturated.

    Examples
    --------
    >>> saturated_count(np.array([[[[0, 4094, 4095, 4096]]]], np.uint16), 4095)
    2
    """
    scale = np.uint16(full_scale_counts)
    total = 0
    for line in spectra.reshape(-1, spectra.shape[-1]):
        found = np.uint32(0)
        for sample in line:
            found += np.uint32(sample >= scale)
        total += int(found)
    return total
