"""TIFF maps that Fiji opens with the right pixel size."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from octflow.io.atomic import replacing

_IMAGEJ_BYTES = 2**32 - 2**20
"""Fiji's own kind of TIFF has addresses of 32 bits."""


def write_tiff(
    path: Path, array: NDArray, *, pixel_size_um: tuple[float, float], zero_holes: bool = False
) -> None:
    """Write a map (Y, X) as float32, or RGB (Y, X, 3) as uint8.

    Up to 4 GB it is Fiji's kind of TIFF, which knows the unit; beyond, a BigTIFF with its
    resolution in pixels per centimetre.

    Parameters
    ----------
    path : Path
        Ends in .tiff.
    array : (Y, X) or (Y, X, 3) array
        The picture.
    pixel_size_um : (2,) floats
        Size (x, y).
    zero_holes : bool
        Write 0 where there is no value, for viewers that cannot take NaN.
    """
    data = array if array.dtype == np.uint8 else array.astype(np.float32, copy=False)
    if zero_holes:
        data = np.nan_to_num(data)
    axes = "YXS" if data.ndim == 3 else "YX"
    with replacing(path) as part:
        if data.nbytes <= _IMAGEJ_BYTES:
            per_um = (1 / pixel_size_um[0], 1 / pixel_size_um[1])
            named = {"unit": "um", "axes": axes}
            tifffile.imwrite(
                part, data, imagej=True, resolution=per_um, metadata=named, software="octflow"
            )
        else:
            per_cm = (1e4 / pixel_size_um[0], 1e4 / pixel_size_um[1])
            tifffile.imwrite(
                part,
                data,
                bigtiff=True,
                resolution=per_cm,
                resolutionunit="CENTIMETER",
                metadata={"axes": axes},
                software="octflow",
            )
