"""Estimate the dispersion phase of a spectrometer from the sharpness of depth profiles.

Dispersion blurs in depth whatever is sharp: the surface, vessels, reflections. It is estimated as
the polynomial phase that makes depth profiles sharpest. A profile p(z) of sum 1 occupies
exp(-sum p ln p) of its N samples; N over that is its sharpness, 1 for a flat profile and N for a
single peak. A phase linear in wavenumber shifts profiles and cannot be found so.
"""

from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.optimize
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.instrument import FIRST_BIN, N_DEPTH
from octflow.core.spectra.wavenumber import Resampling

Floats = NDArray[np.float64]

_QUADRATIC_RAD = np.arange(-60.0, 61.0, 2.0)
_CUBIC_RAD = np.arange(-30.0, 31.0, 2.0)
_SCANNED_LINES = 256
_LEAST_GAIN = 1.003


class Dispersion(NamedTuple):
    """A dispersion phase and what it does to the sharpness of depth profiles."""

    quadratic_rad: float
    """Quadratic part at the edges of the spectrum."""
    cubic_rad: float
    """Cubic part at the edge of the smallest wavenumber."""
    sharpness_before: float
    """Without correction."""
    sharpness_after: float
    """With it."""

    def phase_rad(self, n_spectral: int) -> Floats:
        """Return the phase on the common wavenumber grid, (K,), in rad."""
        return polynomial_phase(n_spectral, self.quadratic_rad, self.cubic_rad)


def polynomial_phase(n_spectral: int, quadratic_rad: float, cubic_rad: float) -> Floats:
    """Return a phase quadratic and cubic in wavenumber.

    Parameters
    ----------
    n_spectral : int
        Samples K of a spectrum.
    quadratic_rad, cubic_rad : float
        The two parts at the end of the grid, where the wavenumber is smallest.

    Returns
    -------
    phase : (K,) float64 array
        In rad; 0 in the middle of the grid.

    Examples
    --------
    >>> polynomial_phase(3, 2.0, 0.5).tolist()
    [1.5, 0.0, 2.5]
    """
    u = np.linspace(-1, 1, n_spectral)
    return quadratic_rad * u**2 + cubic_rad * u**3


def equidistant_fringes(counts: NDArray, table: Resampling) -> NDArray[np.float32]:
    """Return the fringes of one camera at equidistant wavenumbers.

    Parameters
    ----------
    counts : (A, K) array
        Spectra of one camera as stored.
    table : Resampling
        Interpolation as stored: reversed where the camera is.

    Returns
    -------
    fringes : (A, K) float32 array
        Without what is the same in all A-lines.
    """
    fringes = counts.astype(np.float32)
    fringes -= fringes.mean(axis=0)
    lower, upper = fringes[:, table.before], fringes[:, table.before + 1]
    return lower + table.weight * (upper - lower)


def depth_profiles(fringes: NDArray[np.float32], phase_rad: Floats) -> NDArray[np.float32]:
    """Return the intensity over depth after taking out a phase.

    Parameters
    ----------
    fringes : (C, A, K) float32 array
        Of one or both cameras, at equidistant wavenumbers, from the largest down.
    phase_rad : (K,) float64 array
        Dispersion phase.

    Returns
    -------
    intensity : (A, Z) float32 array
        Summed over cameras, shallow first.
    """
    phasor = np.exp(-1j * phase_rad).astype(np.complex64)
    kept = slice(FIRST_BIN, FIRST_BIN + N_DEPTH)
    intensity = np.zeros((fringes.shape[1], N_DEPTH), np.float32)
    for camera in fringes:
        bins = scipy.fft.fft(camera * phasor, axis=-1, overwrite_x=True)[:, kept]
        intensity += bins.real**2 + bins.imag**2
    return intensity


def sharpness(intensity: NDArray[np.float32]) -> float:
    """Return how far depth profiles are from flat: the geometric mean over A-lines.

    Parameters
    ----------
    intensity : (A, Z) float32 array
        Depth profiles.

    Raises
    ------
    EstimateError
        An A-line has no light.

    Examples
    --------
    >>> flat, peak = np.ones((2, 5), np.float32), np.eye(5, dtype=np.float32)[:1]
    >>> round(sharpness(flat), 3), round(sharpness(peak), 3)
    (1.0, 5.0)
    """
    total = intensity.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise EstimateError("dispersion: found A-lines without light, expected fringes")
    share = np.maximum(intensity / total, np.float32(1e-12))
    entropy = -np.einsum("az,az->a", share, np.log(share), dtype=np.float64)
    return float(intensity.shape[-1] * np.exp(-entropy.mean()))


def estimate_dispersion(fringes: NDArray[np.float32]) -> Dispersion:
    """Find the quadratic and cubic phase that make depth profiles sharpest.

    The quadratic part is scanned first, then the cubic one, then both are refined together.

    Parameters
    ----------
    fringes : (C, A, K) float32 array
        Of one or both cameras; tissue with a visible surface or strong reflections.

    Returns
    -------
    dispersion : Dispersion
        The phase and the sharpness without and with it.

    Raises
    ------
    EstimateError
        No phase makes the profiles sharper than the others: nothing in them is sharp.
    """
    few = fringes[:, :: max(1, fringes.shape[1] // _SCANNED_LINES)]
    scanned = [_sharpness_at(few, q, 0.0) for q in _QUADRATIC_RAD]
    best, usual = int(np.argmax(scanned)), float(np.median(scanned))
    if scanned[best] < _LEAST_GAIN * usual or best in {0, len(scanned) - 1}:
        found = f"sharpness {scanned[best]:.4g} at best and {usual:.4g} in the middle"
        raise EstimateError(f"dispersion: found {found}, expected a surface or reflections")
    quadratic = float(_QUADRATIC_RAD[best])
    cubic = max(_CUBIC_RAD, key=lambda c: _sharpness_at(few, quadratic, c))
    start = np.array([quadratic, cubic])
    refined = scipy.optimize.minimize(
        lambda parts: -_sharpness_at(fringes, *parts),
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": start + np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]]),
            "xatol": 0.05,
            "fatol": np.inf,
            "maxiter": 60,
        },
    )
    before = _sharpness_at(fringes, 0.0, 0.0)
    quadratic, cubic = map(float, refined.x)
    return Dispersion(quadratic, cubic, before, -float(refined.fun))


def _sharpness_at(fringes: NDArray[np.float32], quadratic_rad: float, cubic_rad: float) -> float:
    phase_rad = polynomial_phase(fringes.shape[-1], quadratic_rad, cubic_rad)
    return sharpness(depth_profiles(fringes, phase_rad))


class DepthShift(NamedTuple):
    """How much deeper camera 2 sees the same structure than camera 1."""

    depth_px: float
    """Depth index looked at."""
    shift_px: float
    """Shift there."""
    correlation: float
    """How alike the two are, up to 1."""


def camera_shifts(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    *,
    window_px: int = 128,
    most_px: int = 8,
) -> list[DepthShift]:
    """Compare where two cameras see the same speckle: wrong wavelength maps shift it with depth.

    Parameters
    ----------
    first, second : (A, Z) float32 arrays
        Intensity over depth of the same A-lines.
    window_px : int
        Depth samples compared at a time.
    most_px : int
        Largest shift looked for.

    Returns
    -------
    shifts : list of DepthShift
        Where the two are alike; others, such as depths without light, are left out.
    """
    found = []
    for start in range(most_px, first.shape[-1] - window_px - most_px + 1, window_px):
        here = slice(start, start + window_px)
        lags = np.arange(-most_px, most_px + 1)
        alike = np.array(
            [
                _correlation(first[:, here], second[:, start + n : start + n + window_px])
                for n in lags
            ]
        )
        best = int(alike.argmax())
        if 0 < best < lags.size - 1 and alike[best] > 0.1:
            shift = lags[best] + _vertex(alike[best - 1 : best + 2])
            found.append(DepthShift(start + window_px / 2, float(shift), float(alike[best])))
    return found


def _correlation(first: NDArray, second: NDArray) -> float:
    """Correlate logarithms, so that few bright samples do not decide."""
    a, b = (np.log(np.maximum(x, 1e-12)) for x in (first, second))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def _vertex(values: Floats) -> float:
    """Return where the parabola through three values at -1, 0, 1 has its vertex."""
    left, middle, right = values
    return float((left - right) / (2 * (left - 2 * middle + right)))
