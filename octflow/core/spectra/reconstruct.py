"""Spectra to complex depth profiles, one B-line and channel at a time.

Definition, for every B-line and channel: subtract the mean over A-lines of every spectral sample;
interpolate onto equidistant wavenumbers; subtract the median over A-lines; multiply by
exp(-i phi), phi being the dispersion phase; Fourier transform; drop the first bins; conjugate.
"""

from typing import Literal

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from octflow.core.instrument import FIRST_BIN, N_DEPTH
from octflow.core.spectra.median import middle_keys
from octflow.core.spectra.wavenumber import Resampling

_LINE_WORDS = 8
"""Words of 64 bits in a line of the cache."""
_EVEN, _ODD = np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFF0000FFFF0000)
_LOW, _HIGH = np.uint64(0x00000000FFFFFFFF), np.uint64(0xFFFFFFFF00000000)
_16, _32 = np.uint64(16), np.uint64(32)


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
        Filled and returned: fresh memory costs about half as much as the Fourier transforms.

    Returns
    -------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first: the conjugate of the Fourier bins 24 to 1023, unnormalised. The
        fringe cos(2 z (k - k_max) + p) of a reflector at depth z gives the phase +p.
    """
    n_y, _, n_x, n_spectral = spectra.shape
    if jones is None:
        jones = np.empty((2, N_DEPTH, n_y, n_x), np.complex64)
    # Space for whole words of four samples.
    samples = np.empty((n_spectral, n_x + -n_x % 4), np.uint16)
    fringes = np.empty((n_spectral, n_x), np.complex64)
    for y in range(n_y):
        for channel, (before, weight) in enumerate(tables):
            _transpose(np.ascontiguousarray(spectra[y, channel]), samples)
            _resample(samples, before, weight, phasor[channel], fringes)
            # Fringes are real: the conjugate is the unnormalised inverse with the other phase.
            bins = scipy.fft.ifft(fringes, axis=0, norm="forward", overwrite_x=True, workers=1)
            jones[channel, :, y] = bins[FIRST_BIN : FIRST_BIN + N_DEPTH]
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


@njit(nogil=True, cache=True)
def _transpose(lines: NDArray[np.uint16], samples: NDArray[np.uint16]) -> None:
    """Copy (X, K) to (K, X), four by four samples in words of 64 bits; K is a multiple of 32."""
    n_x, n_spectral = lines.shape
    words, turned = lines.view(np.uint64), samples.view(np.uint64)
    for start in range(0, n_spectral // 4, _LINE_WORDS):
        for i in range(n_x // 4):
            for j in range(start, start + _LINE_WORDS):
                a, b, c, d = (
                    words[4 * i, j],
                    words[4 * i + 1, j],
                    words[4 * i + 2, j],
                    words[4 * i + 3, j],
                )
                ab_even, ab_odd = (
                    (a & _EVEN) | ((b & _EVEN) << _16),
                    ((a & _ODD) >> _16) | (b & _ODD),
                )
                cd_even, cd_odd = (
                    (c & _EVEN) | ((d & _EVEN) << _16),
                    ((c & _ODD) >> _16) | (d & _ODD),
                )
                turned[4 * j, i] = (ab_even & _LOW) | (cd_even << _32)
                turned[4 * j + 1, i] = (ab_odd & _LOW) | (cd_odd << _32)
                turned[4 * j + 2, i] = (ab_even >> _32) | (cd_even & _HIGH)
                turned[4 * j + 3, i] = (ab_odd >> _32) | (cd_odd & _HIGH)
    for x in range(n_x - n_x % 4, n_x):
        for k in range(n_spectral):
            samples[k, x] = lines[x, k]


@njit(nogil=True, cache=True)
def _resample(
    samples: NDArray[np.uint16],
    before: NDArray[np.int64],
    weight: NDArray[np.float32],
    phasor: NDArray[np.complex64],
    fringes: NDArray[np.complex64],
) -> None:
    """Interpolate (K, at least X) counts, subtract the median over X, multiply by the phasor.

    The mean over A-lines need not be subtracted before: interpolation is linear, so that the
    median that is subtracted after it contains the mean, whatever it is.
    """
    n_spectral, n_x = fringes.shape
    values, middle = np.empty(n_x, np.float32), np.empty(2, np.float32)
    keys, bits = values.view(np.int32), middle.view(np.int32)
    parts = fringes.view(np.float32)
    for m in range(n_spectral):
        upper = weight[m]
        lower = np.float32(1) - upper
        first, second = samples[before[m]], samples[before[m] + 1]
        for x in range(n_x):
            values[x] = lower * np.float32(first[x]) + upper * np.float32(second[x])
        bits[0], bits[1] = middle_keys(keys)
        median = np.float32(0.5) * (middle[0] + middle[1])
        real, imag = phasor[m].real, phasor[m].imag
        for x in range(n_x):
            fringe = values[x] - median
            parts[m, 2 * x] = fringe * real
            parts[m, 2 * x + 1] = fringe * imag
