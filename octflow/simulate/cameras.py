"""From fringes to stored counts: reference light, shot and read noise, quantisation."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.instrument import N_DEPTH, N_SPECTRAL
from octflow.simulate.fields import Floats, stream
from octflow.simulate.settings import CameraNoise
from octflow.simulate.spectrometer import source_envelope

_PATTERN, _NOISE = 4, 5
DARK_COUNTS = 60.0
"""Counts without light."""
MAX_COUNTS = 4095
"""Largest count of the cameras: 12 bits."""


def reference_counts(position: Floats, noise: CameraNoise, seed: int) -> NDArray[np.float32]:
    """Return the counts without a sample: source spectrum with the fixed pattern of the cameras.

    Parameters
    ----------
    position : (2, K) array
        Camera pixels on the common wavenumber grid.
    noise : CameraNoise
        Light and ripple.
    seed : int
        Decides the ripple.

    Returns
    -------
    reference : (2, K) float32 array
        Counts.
    """
    rng = stream(seed, _PATTERN)
    u = np.arange(N_SPECTRAL) / N_SPECTRAL
    ripple = 0.5 * rng.standard_normal(position.shape)
    ripple += np.cos(2 * np.pi * (37 * u + rng.uniform(0, 1, (2, 1))))
    shape = source_envelope(position) / source_envelope((N_SPECTRAL - 1) / 2)
    light = noise.source_counts * shape * (1 + noise.fixed_pattern_fraction * ripple)
    return (DARK_COUNTS + light).astype(np.float32)


def exposed(
    fringes: NDArray[np.float32],
    reference: NDArray[np.float32],
    noise: CameraNoise,
    key: tuple[int, ...],
) -> NDArray[np.uint16]:
    """Return one B-line as the cameras store it.

    Parameters
    ----------
    fringes : (2, X, K) float32 array
        Counts around 0.
    reference : (2, K) float32 array
        Counts without a sample.
    noise : CameraNoise
        Shot and read noise.
    key : ints
        Decides the noise.

    Returns
    -------
    counts : (2, X, K) uint16 array
        0..4095; channel 2 is reversed along K.
    """
    normal = stream(*key, _NOISE).standard_normal(fringes.shape, np.float32)
    counts = np.empty(fringes.shape, np.uint16)
    per_count = np.float32(1 / noise.electrons_per_count)
    _expose(counts, fringes, normal, reference, per_count, np.float32(noise.read_counts**2))
    counts[1] = counts[1, :, ::-1].copy()
    return counts


@njit(cache=True, nogil=True)
def _expose(
    counts: NDArray[np.uint16],
    fringes: NDArray[np.float32],
    normal: NDArray[np.float32],
    reference: NDArray[np.float32],
    per_count: np.float32,
    read_variance: np.float32,
) -> None:
    """Fill `counts`: light, its noise, rounding, clipping."""
    for c in range(fringes.shape[0]):
        for a in range(fringes.shape[1]):
            for p in range(fringes.shape[2]):
                light = max(reference[c, p] + fringes[c, a, p], np.float32(0))
                spread = np.sqrt(light * per_count + read_variance)
                value = light + spread * normal[c, a, p] + np.float32(0.5)
                counts[c, a, p] = np.uint16(min(max(value, 0), MAX_COUNTS))


def noise_floor(noise: CameraNoise) -> float:
    """Return the mean intensity of both channels without a sample, after reconstruction.

    White noise of variance v per sample becomes N v per depth sample and channel, of which linear
    interpolation to the common grid leaves two thirds.

    Examples
    --------
    >>> round(float(10 * np.log10(noise_floor(CameraNoise()))))
    48
    """
    grid = np.arange(N_SPECTRAL)
    peak = float(source_envelope((N_SPECTRAL - 1) / 2))
    mean_counts = DARK_COUNTS + noise.source_counts * float(source_envelope(grid).mean()) / peak
    variance = mean_counts / noise.electrons_per_count + noise.read_counts**2 + 1 / 12
    return 2 * N_SPECTRAL * variance * 2 / 3


def complex_noise(n_x: int, noise: CameraNoise, key: tuple[int, ...]) -> NDArray[np.complex64]:
    """Return the noise of one B-line in the reconstructed channels.

    Parameters
    ----------
    n_x : int
        A-lines.
    noise : CameraNoise
        Shot and read noise.
    key : ints
        Decides the noise.

    Returns
    -------
    noise : (2, X, N_DEPTH) complex64 array
        Circular Gaussian, at the level of `noise_floor`.
    """
    normal = stream(*key, _NOISE).standard_normal((2, n_x, N_DEPTH, 2), np.float32)
    scale = np.float32(np.sqrt(noise_floor(noise) / 4))
    return scale * normal.view(np.complex64)[..., 0]
