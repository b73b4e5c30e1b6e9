"""TIFF maps that Fiji opens with the right pixel size."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from octflow.io.atomic import replacing


def write_tiff(path: Path, array: NDArray, *, pixel_size_um: tuple[float, float]) -> None:
    """Write a map (Y, X) as float32, or RGB (Y, X, 3) as uint8.

    Parameters
    ----------
    path : Path
        Ends in .tiff.
    array : (Y, X) or (Y, X, 3) array
        The picture.
    pixel_size_um : (2,) floats
        Size (x, y).
    """
    data = array if array.dtype == np.uint8 else array.astype(np.float32)
    per_um = (1 / pixel_size_um[0], 1 / pixel_size_um[1])
    with replacing(path) as part:
        tifffile.imwrite(
            part,
            data,
            imagej=True,
            resolution=per_um,
            metadata={"unit": "um", "axes": "YXS" if data.ndim == 3 else "YX"},
            software="octflow",
        )
