"""NIfTI-1: arrays (Z, Y, X) in memory are the (x, y, z) of the file, same bytes, same order."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

GZIP_LEVEL = 3


def write_nifti(
    path: Path,
    array: NDArray,
    *,
    voxel_size_mm: tuple[float, float, float],
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> None:
    """Write a map (Y, X), a volume (Z, Y, X) or a vector map (C, Z, Y, X).

    Parameters
    ----------
    path : Path
        Ends in .nii or .nii.gz. Written whole or not at all; the same array gives the same bytes.
    array : (Y, X), (Z, Y, X) or (C, Z, Y, X) array
        A map becomes a volume with one plane. The components C of a vector come last in the file.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    origin_mm : (3,) floats
        Position (x, y, z) of the centre of the first voxel.
    """
    volume = array[None] if array.ndim == 2 else array
    affine = np.diag([*voxel_size_mm, 1.0])
    affine[:3, 3] = origin_mm
    image = nib.Nifti1Image(volume.T, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(None, code=0)
    image.set_sform(affine, code=1)
    with replacing(path) as part:
        if path.name.endswith(".gz"):
            # The name and the time stay out of the gzip header: same array, same bytes.
            from isal import igzip

            with (
                part.open("wb") as raw,
                igzip.IGzipFile("", "wb", fileobj=raw, mtime=0, compresslevel=GZIP_LEVEL) as file,
            ):
                file.write(image.to_bytes())
        else:
            nib.save(image, part)


def read_nifti(path: Path) -> NDArray:
    """Read a map as (Y, X), a volume as (Z, Y, X), a vector map as (C, Z, Y, X).

    Uncompressed volumes are memory-mapped: slicing reads only what is asked for.

    Raises
    ------
    DataError
        Not a NIfTI file, or cut short.
    """
    return _array_of(_open(path), path)


def read_voxel_size_mm(path: Path) -> tuple[float, float, float]:
    """Return the voxel size (x, y, z) in mm from the header."""
    x, y, z = _open(path).header.get_zooms()[:3]
    return (float(x), float(y), float(z))


def _open(path: Path) -> Any:  # noqa: ANN401 - nibabel is not typed
    if not path.exists():
        raise DataError(path, found="no file", expected="a NIfTI file")
    try:
        return nib.load(path)
    except (ImageFileError, EOFError) as error:
        raise DataError(path, found=str(error), expected="a NIfTI file") from error


def _array_of(image: Any, path: Path) -> NDArray:  # noqa: ANN401
    try:
        array = np.asanyarray(image.dataobj).T
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            path, found=f"{path.stat().st_size} bytes", expected=f"voxels {image.shape}"
        ) from error
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array
