"""Volumes on disk that carry a scale in their header."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.scaled import LARGEST, STEPS, Scaled, codes_of
from octflow.io.nifti import read_unscaled, write_nifti


def read_scaled(path: Path) -> Scaled:
    """Read a volume (Z, Y, X) as it is stored; uncompressed files are memory-mapped.

    Raises
    ------
    DataError
        Not a NIfTI file, or cut short.
    """
    stored, slope, intercept = read_unscaled(path)
    return Scaled(np.asarray(stored), np.float32(slope), np.float32(intercept))


def write_int16(
    path: Path,
    values: NDArray[np.float32],
    modality: str,
    *,
    voxel_size_mm: tuple[float, float, float],
) -> None:
    """Write a volume as 16-bit integers, its scale in the header.

    Parameters
    ----------
    path : Path
        Ends in .nii or .nii.gz.
    values : (Z, Y, X) float32 array
        Finite.
    modality : {"dBI", "R3D", "O3D"}
        Decides the step.
    voxel_size_mm : (3,) floats
        Size (x, y, z).

    Raises
    ------
    DataError
        A value is not finite or beyond the codes.
    """
    try:
        codes = codes_of(values, modality)
    except ValueError as error:
        expected = f"at most {LARGEST * STEPS[modality]:g}; use storage: float32"
        raise DataError(path, found=str(error), expected=expected) from error
    write_nifti(path, codes, voxel_size_mm=voxel_size_mm, slope=STEPS[modality])
