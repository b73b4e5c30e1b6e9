"""The two spectrometer cameras: from depth profiles to counts.

Everything is expressed in the fractional index m on the common wavenumber grid, which runs from
k_max down, so that m = (k_max - k) / dk. A reflector at Fourier bin b with complex amplitude J
makes the fringe

    2/N envelope(m) |J| cos(2 pi b m / N - arg J + dispersion(m)),

which is cos(2 k z + arg J - dispersion) with its phase counted from k_max.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import ArrayLike, NDArray

from octflow.core.instrument import FIRST_BIN, N_DEPTH, N_SPECTRAL, Instrument
from octflow.simulate.fields import Floats
from octflow.simulate.profiles import N_SCATTER

SOURCE_SIGMA_FRACTION = 0.2
"""Width of the Gaussian source spectrum, against the range both cameras see."""
_TAPS = 4
_SHAPE = np.pi * _TAPS * (1 - N_SCATTER / N_SPECTRAL / 2)


@dataclass(frozen=True)
class Spectrometer:
    """What turns depth profiles into fringes at the pixels of both cameras."""

    position: Floats
    """(2, K) fractional index of every camera pixel on the common wavenumber grid."""
    dispersion: Floats
    """(2, K) dispersion phase in rad."""
    envelope: Floats
    """(2, K) source spectrum, mean 1 over the common grid."""
    first_tap: NDArray[np.int64]
    """(2, K) first grid point used for the interpolation."""
    weight: NDArray[np.float32]
    """(2, K, taps) its weights."""
    correction: NDArray[np.float32]
    """(Z,) what undoes the decay of the interpolation with depth."""


def camera_positions(instrument: Instrument) -> Floats:
    """Return where the camera pixels lie on the common wavenumber grid.

    The grid has 2048 equidistant wavenumbers over the range that both cameras see, from the
    largest down; the wavelength of pixel p, counted from 1, is slope * p + offset.

    Parameters
    ----------
    instrument : Instrument
        Calibration of both cameras.

    Returns
    -------
    position : (2, K) array
        Fractional index; 0 is k_max, 2047 is k_min. Some pixels lie outside.
    """
    pixel = np.arange(1, N_SPECTRAL + 1)
    wavelength_nm = np.stack([c.slope_nm * pixel + c.offset_nm for c in instrument.cameras])
    k = 2 * np.pi / wavelength_nm
    k_max, k_min = k[:, 0].min(), k[:, -1].max()
    return np.asarray((k_max - k) / (k_max - k_min) * (N_SPECTRAL - 1))


def dispersion_phase(position: Floats, strength_rad: float) -> Floats:
    """Return the dispersion phase, quadratic and cubic in wavenumber, in rad.

    Parameters
    ----------
    position : array
        Index on the common wavenumber grid.
    strength_rad : float
        Quadratic part at the edges of the range.

    Returns
    -------
    phase : array
        What a reconstruction takes away by the factor exp(-i phase).
    """
    u = 2 * position / (N_SPECTRAL - 1) - 1
    return strength_rad * (u**2 + 0.4 * u**3)


def source_envelope(position: ArrayLike) -> Floats:
    """Return the source spectrum, Gaussian in wavenumber, mean 1 over the common grid."""
    u = np.asarray(position) / (N_SPECTRAL - 1) - 0.5
    grid = np.linspace(-0.5, 0.5, N_SPECTRAL)
    width = 2 * SOURCE_SIGMA_FRACTION**2
    return np.asarray(np.exp(-(u**2) / width) / np.exp(-(grid**2) / width).mean())


def build_spectrometer(instrument: Instrument, dispersion_rad: float) -> Spectrometer:
    """Prepare fringes at the pixels of both cameras.

    Parameters
    ----------
    instrument : Instrument
        Calibration of both cameras.
    dispersion_rad : float
        Strength of the dispersion.

    Returns
    -------
    spectrometer : Spectrometer
        Positions, envelope, dispersion and interpolation weights.
    """
    position = camera_positions(instrument)
    first = np.floor(position).astype(np.int64) - (_TAPS // 2 - 1)
    distance = position[..., None] - first[..., None] - np.arange(_TAPS)
    bins = np.arange(N_SCATTER) - N_SCATTER // 2
    return Spectrometer(
        position=position,
        dispersion=dispersion_phase(position, dispersion_rad),
        envelope=source_envelope(position),
        first_tap=first,
        weight=_kaiser(distance).astype(np.float32),
        correction=(1 / _kaiser_spectrum(bins / N_SPECTRAL)).astype(np.float32),
    )


def _kaiser(distance: Floats) -> Floats:
    """Return the Kaiser-Bessel window, nearly band-limited and nearly compact."""
    inside = np.clip(1 - (2 * distance / _TAPS) ** 2, 0, None)
    return np.i0(_SHAPE * np.sqrt(inside)) / np.i0(_SHAPE) * (np.abs(distance) <= _TAPS / 2)


def _kaiser_spectrum(frequency: Floats) -> Floats:
    """Return its Fourier transform, at frequencies in cycles per grid point."""
    root = np.sqrt(_SHAPE**2 - (np.pi * _TAPS * frequency) ** 2)
    return np.asarray(_TAPS * np.sinh(root) / root / np.i0(_SHAPE))


def fringes(
    profiles: NDArray[np.complex64], start_px: Floats, spectrometer: Spectrometer
) -> NDArray[np.float32]:
    """Sum the fringes of all scatterers at the camera pixels.

    The sum over depth at pixels that are not equidistant in wavenumber is a Fourier transform on
    a four times finer grid, then an interpolation with a Kaiser-Bessel window.

    Parameters
    ----------
    profiles : (Y, 2, X, Z) complex64 array
        J1 and J2 from the surface down; Z is `N_SCATTER`.
    start_px : (Y, X) array
        Depth index of the surface, fractional.
    spectrometer : Spectrometer
        The cameras.

    Returns
    -------
    fringes : (Y, 2, X, K) float32 array
        Counts around 0; both channels with wavelength growing along K.
    """
    out = np.empty((*profiles.shape[:3], N_SPECTRAL), np.float32)
    middle = np.asarray(start_px, float) + FIRST_BIN + N_SCATTER // 2
    scale = (2 / N_SPECTRAL * spectrometer.envelope).astype(np.float32)
    for i, line in enumerate(profiles):
        grid = _transform(line * spectrometer.correction)
        for c in range(2):
            _interpolate(
                out[i, c],
                grid[c],
                middle[i],
                spectrometer.position[c],
                spectrometer.dispersion[c],
                scale[c],
                spectrometer.first_tap[c],
                spectrometer.weight[c],
            )
    return out


def _transform(profiles: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Sum conj(J) exp(2 pi i b m / N) over depth at integer m, b counted from the middle."""
    half = N_SCATTER // 2
    grid = np.zeros((*profiles.shape[:-1], N_SPECTRAL), np.complex64)
    np.conj(profiles[..., half:], out=grid[..., :half])
    np.conj(profiles[..., :half], out=grid[..., -half:])
    return np.asarray(scipy.fft.ifft(grid, axis=-1, norm="forward", overwrite_x=True))


@njit(cache=True, nogil=True)
def _interpolate(
    out: NDArray[np.float32],
    grid: NDArray[np.complex64],
    middle: Floats,
    position: Floats,
    dispersion: Floats,
    scale: NDArray[np.float32],
    first: NDArray[np.int64],
    weight: NDArray[np.float32],
) -> None:
    """Fill `out` (A-line, pixel): interpolate, move to the true depth, take the real part."""
    n = grid.shape[1]
    for a in range(out.shape[0]):
        for p in range(out.shape[1]):
            real, imag = np.float32(0), np.float32(0)
            for t in range(weight.shape[1]):
                value = grid[a, (first[p] + t) & (n - 1)]
                real += weight[p, t] * value.real
                imag += weight[p, t] * value.imag
            turns = middle[a] * position[p] / n
            phase = np.float32(2 * np.pi * (turns - np.floor(turns)) + dispersion[p])
            out[a, p] = scale[p] * (real * np.cos(phase) - imag * np.sin(phase))


def ideal_profiles(profiles: NDArray[np.complex64], start_px: Floats) -> NDArray[np.complex64]:
    """Return what a perfect reconstruction finds: the profiles blurred by the source spectrum.

    Parameters
    ----------
    profiles : (Y, 2, X, Z) complex64 array
        J1 and J2 from the surface down.
    start_px : (Y, X) array
        Depth index of the surface, fractional.

    Returns
    -------
    jones : (Y, 2, X, N_DEPTH) complex64 array
        J1 and J2 at depth indices from 0.
    """
    m = np.arange(N_SPECTRAL)
    envelope = source_envelope(m) / N_SPECTRAL
    out = np.empty((*profiles.shape[:3], N_DEPTH), np.complex64)
    for i, line in enumerate(profiles):
        middle = np.asarray(start_px[i])[:, None] + FIRST_BIN + N_SCATTER // 2
        carrier = envelope * np.exp(2j * np.pi * middle * m / N_SPECTRAL)
        spectra = _transform(line) * carrier.astype(np.complex64)
        found = np.conj(scipy.fft.fft(spectra, axis=-1, overwrite_x=True))
        out[i] = found[..., FIRST_BIN : FIRST_BIN + N_DEPTH]
    return out
