"""Half the resolution: means over 2 x 2 x 2 voxels that ignore empty ones."""

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import doubled, undoubled

Volume = NDArray[np.float32]


def halved(volume: Volume) -> Volume:
    """Average 2 x 2 x 2 voxels; an odd end is averaged over what is there.

    Parameters
    ----------
    volume : (Z, Y, X) float32 array
        NaN where there is no value.

    Returns
    -------
    half : (ceil(Z / 2), ceil(Y / 2), ceil(X / 2)) float32 array
        NaN where none of the voxels has a value.

    Examples
    --------
    >>> halved(np.array([[[1, 3, 5]]], np.float32)).tolist()
    [[[2.0, 5.0]]]
    """
    valid = np.isfinite(volume)
    if valid.all() and not any(n % 2 for n in volume.shape):
        return _pair_sum(volume) * np.float32(1 / 8)
    count = _pair_sum(valid.astype(np.float32))
    total = _pair_sum(np.where(valid, volume, np.float32(0)))
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))


def halved_axial(axis_deg: Volume) -> Volume:
    """Average axis angles over 2 x 2 x 2 voxels as doubled angles.

    Parameters
    ----------
    axis_deg : (Z, Y, X) float32 array
        In degrees, NaN where there is no value.

    Returns
    -------
    half : (ceil(Z / 2), ceil(Y / 2), ceil(X / 2)) float32 array
        In (-90, 90] degrees, NaN where none of the voxels has a value.

    Examples
    --------
    >>> halved_axial(np.array([[[80, -80]]], np.float32)).tolist()
    [[[90.0]]]
    """
    valid = np.isfinite(axis_deg)
    cos_2a, sin_2a = doubled(np.where(valid, axis_deg, np.float32(0)))
    half = undoubled(_pair_sum(cos_2a * valid), _pair_sum(sin_2a * valid))
    filled = _pair_sum(valid.astype(np.float32)) > 0
    return np.where(filled, half, np.nan).astype(np.float32)


def _pair_sum(volume: NDArray[np.floating]) -> Volume:
    """Sum pairs along each axis; an odd last one stands alone."""
    summed: Volume = volume
    for axis in (2, 1, 0):
        n = summed.shape[axis]
        even = np.moveaxis(summed, axis, 0)
        total = even[0::2].copy()
        total[: n // 2] += even[1::2]
        summed = np.moveaxis(total, 0, axis)
    return summed
