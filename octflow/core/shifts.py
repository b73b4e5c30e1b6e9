"""Correlation of two pictures at any shift, whole or not."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from octflow.core.smooth import Picture

Floats = NDArray[np.floating]
Waves = NDArray[np.complexfloating]
Lags = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Window:
    """Shifts around (y, x), up to `reach` away."""

    y: float
    """Middle along y."""
    x: float
    """Middle along x."""
    reach: float
    """Largest deviation from the middle."""

    def per(self, step_px: int) -> "Window":
        """Return the same in steps of some pixels."""
        return Window(self.y / step_px, self.x / step_px, self.reach / step_px)

    @property
    def whole(self) -> Lags:
        """Whole shifts (y, x) that enclose the window."""
        y, x = (
            np.arange(math.floor(middle - self.reach), math.ceil(middle + self.reach) + 1)
            for middle in (self.y, self.x)
        )
        return y, x


@dataclass(frozen=True)
class CrossSpectrum:
    """Cross spectrum of two pictures; gives their correlation at any shift."""

    cross: Waves
    """Half of the cross spectrum."""
    size: tuple[int, int]
    """Size (n_y, n_x) of the transforms."""

    @classmethod
    def of(cls, first: Picture, second: Picture, window: Window) -> "CrossSpectrum":
        """Transform two pictures.

        Parameters
        ----------
        first, second : (Y, X) float32 arrays
            Zero where there is no value.
        window : Window
            The shifts that will be asked for.
        """
        # The least sizes that are quick, and at which the ends of no shift meet.
        n_y, n_x = (
            fft.next_fast_len(int(max(n + lags[-1], m - lags[0])), real=True)
            for n, m, lags in zip(first.shape, second.shape, window.whole, strict=True)
        )
        a, b = (fft.rfft2(picture, (n_y, n_x)) for picture in (first, second))
        cross = np.conj(a, out=a)
        cross *= b
        return cls(cross, (n_y, n_x))

    def correlation(self, window: Window, count: int) -> Floats:
        """Return the correlation: the sum of first(p) second(p + shift) over all pixels p.

        Parameters
        ----------
        window : Window
            Shifts, fractions allowed.
        count : int
            Number of shifts along each axis, evenly from end to end of the window.

        Returns
        -------
        correlation : (count, count) array
            Interpolated by the Fourier series of both pictures.
        """
        n_y, n_x = self.size
        half = self.cross.shape[1]
        # The half spectrum stands for both halves, except at zero and at the highest frequency.
        twice = np.full(half, 2, np.float32)
        twice[0] = 1
        twice[n_x - half + 1 :] = 1
        to_y = _waves(n_y, window.reach, count) * _wave(n_y, window.y)
        to_x = _waves(n_x, window.reach, count)[:, :half] * (twice * _wave(n_x, window.x)[:half])
        correlation: Floats = (to_y @ self.cross @ to_x.T).real / (n_y * n_x)
        return correlation


@lru_cache(maxsize=64)
def _waves(n: int, reach: float, count: int) -> Waves:
    """Waves of all frequencies, at shifts about zero."""
    shifts = np.linspace(-reach, reach, count)
    return np.exp(2j * np.pi * shifts[:, None] * fft.fftfreq(n)).astype(np.complex64)


def _wave(n: int, shift: float) -> Waves:
    return np.exp(shift * _turns(n)).astype(np.complex64)


@lru_cache(maxsize=64)
def _turns(n: int) -> Waves:
    return 2j * np.pi * fft.fftfreq(n)
