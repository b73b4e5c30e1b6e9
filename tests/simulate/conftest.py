"""The definition of the reconstruction, written out, and small simulations."""

import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.simulate.presets import preset
from octflow.simulate.settings import CameraNoise


@pytest.fixture(scope="session")
def tiny():
    return preset("tiny")


@pytest.fixture(scope="session")
def noiseless():
    """Hardly any noise: many electrons per count, no read noise."""
    return CameraNoise(electrons_per_count=1e9, read_counts=0, fixed_pattern_fraction=0)


def camera_wavenumbers():
    """k of every pixel (2, K), and the common grid from k_max down (K,)."""
    pixel = np.arange(1, 2049)
    cameras = Instrument().cameras
    k = np.stack([2 * np.pi / (c.slope_nm * pixel + c.offset_nm) for c in cameras])
    return k, np.linspace(k[:, 0].min(), k[:, -1].max(), 2048)


@pytest.fixture(scope="session")
def wavenumbers():
    return camera_wavenumbers()


@pytest.fixture(scope="session")
def reconstructed():
    """Return (..., 2, X, 2048) spectra of both cameras as (..., 2, X, 1000) complex profiles."""
    k, grid = camera_wavenumbers()

    def reconstruct(spectra, dispersion=0.0):
        even = np.empty(spectra.shape)
        for index in np.ndindex(spectra.shape[:-1]):
            channel = index[-2]
            even[index] = np.interp(-grid, -k[channel], spectra[index])
        return np.conj(np.fft.fft(even * np.exp(-1j * dispersion)))[..., 24:1024]

    return reconstruct


@pytest.fixture(scope="session")
def intensity(reconstructed):
    """Return the intensity (Y, X, Z) of a stored tile (Y, 2, X, K)."""

    def reconstruct(stored, dispersion):
        counts = stored.astype(float)
        counts[:, 1] = counts[:, 1, :, ::-1]
        counts -= counts.mean(axis=2, keepdims=True)
        return (np.abs(reconstructed(counts, dispersion)) ** 2).sum(axis=1)

    return reconstruct
