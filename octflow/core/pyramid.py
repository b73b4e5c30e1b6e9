"""Half the resolution: means over 2 x 2 x 2 voxels that ignore empty ones."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.circle import doubled_vector, half_angle_deg

Volume = NDArray[np.float32]
Line = NDArray[np.float32]
Map = NDArray[np.float32]


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
    half = np.empty([-(-n // 2) for n in volume.shape], np.float32)
    _average(volume, half)
    return half


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
    half = np.empty([-(-n // 2) for n in axis_deg.shape], np.float32)
    _average_axial(axis_deg, half)
    return half


@njit(nogil=True, cache=True)
def _average(volume: Volume, half: Volume) -> None:
    # Sums of up to four lines first: these loops become vector instructions.
    n_z, n_y, n_x = volume.shape
    total, count = np.zeros(n_x + 1, np.float32), np.zeros(n_x + 1, np.float32)
    for z in range(half.shape[0]):
        for y in range(half.shape[1]):
            total[:] = 0
            count[:] = 0
            for k in range(2 * z, min(2 * z + 2, n_z)):
                for j in range(2 * y, min(2 * y + 2, n_y)):
                    _add_line(volume[k, j], total, count)
            _add_pairs(total, count, half[z, y])


@njit(nogil=True, cache=True)
def _add_line(line: Line, total: Line, count: Line) -> None:
    for x in range(line.size):
        there = np.isfinite(line[x])
        total[x] += line[x] if there else np.float32(0)
        count[x] += np.float32(1) if there else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_pairs(total: Line, count: Line, half: Line) -> None:
    for x in range(half.size):
        both = count[2 * x] + count[2 * x + 1]
        mean = (total[2 * x] + total[2 * x + 1]) / both
        half[x] = mean if both > 0 else np.float32(np.nan)


@njit(nogil=True, cache=True)
def _average_axial(axis_deg: Volume, half: Volume) -> None:
    n_z, n_y, n_x = axis_deg.shape
    vector = np.zeros((2, n_x + 1), np.float32)
    count = np.zeros(n_x + 1, np.float32)
    for z in range(half.shape[0]):
        for y in range(half.shape[1]):
            vector[:] = 0
            count[:] = 0
            for k in range(2 * z, min(2 * z + 2, n_z)):
                for j in range(2 * y, min(2 * y + 2, n_y)):
                    _add_line_axial(axis_deg[k, j], vector, count)
            _add_pairs_axial(vector, count, half[z, y])


@njit(nogil=True, cache=True)
def _add_line_axial(line: Line, vector: Map, count: Line) -> None:
    for x in range(line.size):
        there = np.isfinite(line[x])
        cos_2a, sin_2a = doubled_vector(line[x])
        vector[np.uintp(0), x] += cos_2a if there else np.float32(0)
        vector[np.uintp(1), x] += sin_2a if there else np.float32(0)
        count[x] += np.float32(1) if there else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_pairs_axial(vector: Map, count: Line, half: Line) -> None:
    for x in range(half.size):
        cos_2a = vector[0, 2 * x] + vector[0, 2 * x + 1]
        sin_2a = vector[1, 2 * x] + vector[1, 2 * x + 1]
        there = count[2 * x] + count[2 * x + 1] > 0
        half[x] = half_angle_deg(cos_2a, sin_2a) if there else np.float32(np.nan)
