"""What one view tells of the fibres at a depth: birefringence and axis from volumes.

Retardance and axis are cumulative: they hold for all that lies above. The vector
s = (cos 2R, sin 2R cos 2a, sin 2R sin 2a) of polarisation turns with depth, by the double
retardance of what it passes, in the plane of the axis, whatever folds. So the cross product of s at
two depths tells the axis of what lies between, with its sign, and their scalar product the
retardance. Both are linear in either s: noise, which differs from depth to depth, averages out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import undoubled
from octflow.stages.register.pairs import pair_fields, running_sums, smoothed, stokes

Volume = NDArray[np.float32]
Floats = NDArray[np.floating]

_TRUNCATED = 3.0
"""Standard deviations at which a Gaussian ends."""


@dataclass(frozen=True, kw_only=True)
class DepthWindow:
    """The window in which fibres are taken as the same."""

    lag_px: int
    """Depth between the samples that are compared; even."""
    n_pairs: int
    """Pairs of samples, one below the other; odd."""
    smoothing_px: float
    """Sigma of the Gaussian across A-lines."""
    dn_per_radian: float
    """Birefringence per radian of turn between the samples of a pair."""

    @property
    def halo_px(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) beyond a block that its values depend on."""
        across = math.ceil(_TRUNCATED * self.smoothing_px)
        return (self.lag_px // 2 + self.n_pairs // 2, across, across)


def depth_window(
    window_px: int, *, largest_dn: float, smoothing_px: float, wavelength_um: float, step_um: float
) -> DepthWindow:
    """Choose the lag: two thirds of the window, but no turn beyond half a circle.

    Two thirds give the least error of a rate in white noise.

    Parameters
    ----------
    window_px : int
        Depth samples that an estimate is made from.
    largest_dn : float
        Birefringence that must not be mistaken for a smaller one.
    smoothing_px : float
        Sigma of the Gaussian across A-lines.
    wavelength_um, step_um : float
        Centre wavelength and depth step.

    Examples
    --------
    >>> window = depth_window(
    ...     60, largest_dn=3e-3, smoothing_px=1, wavelength_um=1.3, step_um=2.5
    ... )
    >>> window.lag_px, window.n_pairs, window.halo_px
    (40, 21, (30, 3, 3))
    """
    unambiguous_px = wavelength_um / (4 * largest_dn * step_um)
    lag_px = max(2, 2 * int(min(2 * window_px / 3, unambiguous_px) / 2))
    per_radian = wavelength_um / (4 * math.pi * step_um * lag_px)
    return DepthWindow(
        lag_px=lag_px,
        n_pairs=max(1, window_px - lag_px) | 1,
        smoothing_px=smoothing_px,
        dn_per_radian=per_radian,
    )


def local_birefringence(
    intensity_db: Volume, retardance_deg: Volume, axis_deg: Volume, window: DepthWindow
) -> tuple[Volume, Volume, Volume]:
    """Find the apparent birefringence and axis around every voxel.

    Parameters
    ----------
    intensity_db, retardance_deg, axis_deg : (Z, Y, X) float32 array
        Volumes of a view, NaN where there is no value. Axes in either sense.
    window : DepthWindow
        Around each voxel.

    Returns
    -------
    birefringence : (Z, Y, X) float32 array
        Per path along the beam, never negative.
    local_axis_deg : (Z, Y, X) float32 array
        In (-90, 90], in the sense of `axis_deg`.
    coherence : (Z, Y, X) float32 array
        1 where all pairs agree, near 0 in noise; 0 where there are none.
    """
    fields = stokes(intensity_db, retardance_deg, axis_deg)
    sums = running_sums(pair_fields(fields, window.lag_px), window.n_pairs)
    if window.smoothing_px > 0:
        sums = smoothed(sums, _gaussian(window.smoothing_px))
    total, along, real, imag = sums
    across = np.hypot(real, imag)
    coherence = np.hypot(across, along) / np.maximum(total, np.finfo(np.float32).tiny)
    turn = np.arctan2(across, along)
    found = (turn * window.dn_per_radian, undoubled(real, imag), coherence)
    n_z = len(intensity_db)
    birefringence, local, known = (_centred(a, window.lag_px, n_z) for a in found)
    return birefringence, local, known


def _gaussian(sigma_px: float) -> NDArray[np.float32]:
    """Return the taps of a Gaussian, sum 1."""
    reach = math.ceil(_TRUNCATED * sigma_px)
    taps = np.exp(-((np.arange(-reach, reach + 1) / sigma_px) ** 2) / 2)
    return (taps / taps.sum()).astype(np.float32)


def _centred(field: Floats, lag_px: int, n_z: int) -> Volume:
    """Put what pairs tell at the depth of their middle; 0 beyond them."""
    centred = np.zeros((n_z, *field.shape[1:]), np.float32)
    centred[lag_px // 2 : lag_px // 2 + len(field)] = field
    return centred
