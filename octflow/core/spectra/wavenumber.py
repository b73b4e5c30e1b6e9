"""The common wavenumber grid of two cameras, and how to interpolate onto it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class WavelengthMap(NamedTuple):
    """Wavelength of a camera: lambda(p) = slope * p + offset, pixel p counted from 1."""

    slope_nm: float
    offset_nm: float


class Resampling(NamedTuple):
    """Linear interpolation as a table: (1 - weight) * s[before] + weight * s[before + 1]."""

    before: NDArray[np.int64]
    weight: NDArray[np.float32]


def common_wavenumbers(
    first: WavelengthMap, second: WavelengthMap, n_spectral: int
) -> NDArray[np.float64]:
    """Return equidistant wavenumbers over the range that both cameras see.

    Parameters
    ----------
    first, second : WavelengthMap
        Wavelength maps of the cameras.
    n_spectral : int
        Samples of a spectrum.

    Returns
    -------
    wavenumber : (K,) float64 array
        In rad/nm, from the largest down to the smallest: wavelengths ascend.

    Examples
    --------
    >>> k = common_wavenumbers(WavelengthMap(1.0, 1000.0), WavelengthMap(1.0, 1001.0), 3)
    >>> (2 * np.pi / k[[0, -1]]).round(9).tolist()
    [1002.0, 1003.0]
    """
    shortest_nm = max(_wavelength_nm(first, 1), _wavelength_nm(second, 1))
    longest_nm = min(_wavelength_nm(first, n_spectral), _wavelength_nm(second, n_spectral))
    return np.linspace(2 * np.pi / shortest_nm, 2 * np.pi / longest_nm, n_spectral)


def resampling(camera: WavelengthMap, wavenumber: NDArray[np.float64]) -> Resampling:
    """Tabulate the linear interpolation of a camera's spectrum at wavenumbers.

    The wavelength map is a straight line, so that every wavenumber has a fixed fractional pixel.

    Parameters
    ----------
    camera : WavelengthMap
        Wavelength map of the camera.
    wavenumber : (K,) float64 array
        In rad/nm, inside the range of the camera.

    Returns
    -------
    table : Resampling
        `before` (K,) from 0 to K - 2 and `weight` (K,) from 0 to 1.

    Examples
    --------
    The middle of three wavenumbers lies nearer to the shorter wavelength.

    >>> k = 2 * np.pi / np.array([1001.0, 1001.5, 1003.0])
    >>> table = resampling(WavelengthMap(1.0, 1000.0), k)
    >>> table.before.tolist(), table.weight.round(6).tolist()
    ([0, 0, 1], [0.0, 0.5, 1.0])
    """
    pixel = (2 * np.pi / wavenumber - camera.offset_nm) / camera.slope_nm - 1
    before = np.clip(np.floor(pixel).astype(np.int64), 0, wavenumber.size - 2)
    # The ends lie on the first or the last pixel, up to rounding.
    return Resampling(before, np.clip(pixel - before, 0, 1).astype(np.float32))


def reversed_resampling(table: Resampling) -> Resampling:
    """Rewrite a table so that it reads a spectrum stored in reverse.

    Examples
    --------
    >>> table = Resampling(np.array([0, 1]), np.array([0.25, 1.0], np.float32))
    >>> [part.tolist() for part in reversed_resampling(table)]
    [[0, -1], [0.75, 0.0]]
    """
    last = table.before.size - 2
    return Resampling(last - table.before, 1 - table.weight)


def _wavelength_nm(camera: WavelengthMap, pixel: int) -> float:
    return camera.slope_nm * pixel + camera.offset_nm
