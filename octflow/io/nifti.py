"""NIfTI-1: arrays (Z, Y, X) in memory are the (x, y, z) of the file, same bytes, same order."""

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import DTypeLike, NDArray

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

Affine = NDArray[np.float64]

GZIP_LEVEL = 3
_START_BYTES = 352
"""A NIfTI-1 header and the four bytes that announce no extension."""


def write_nifti(
    path: Path,
    array: NDArray,
    *,
    voxel_size_mm: tuple[float, float, float],
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    slope: float | None = None,
    name: str = "",
    description: str = "",
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
    slope : float, optional
        What readers multiply the stored values with.
    name : str
        What the values are called, up to 15 characters of ASCII.
    description : str
        What they are, with their unit, up to 79 characters of ASCII.
    """
    volume = array[None] if array.ndim == 2 else array
    affine = scaling_affine(voxel_size_mm, origin_mm)
    start = start_of(
        volume.shape,
        volume.dtype,
        affine,
        slope=1 if slope is None else slope,
        name=name,
        description=description,
    )
    with replacing(path) as part, part.open("wb") as file:
        if path.name.endswith(".gz"):
            # The name and the time stay out of the gzip header: same array, same bytes.
            from isal import igzip

            with igzip.IGzipFile(
                "", "wb", fileobj=file, mtime=0, compresslevel=GZIP_LEVEL
            ) as packed:
                packed.write(start + volume.tobytes())
        else:
            # nibabel would copy the values, slice by slice.
            file.write(start)
            file.write(np.ascontiguousarray(volume).data)


class Layout(NamedTuple):
    """How an array lies in a file that is not compressed."""

    shape: tuple[int, ...]
    """(Z, Y, X)."""
    dtype: np.dtype
    """Type of the stored values."""
    offset: int
    """Bytes before the first value."""


def nifti_start(
    shape: tuple[int, int, int],
    dtype: DTypeLike,
    *,
    voxel_size_mm: tuple[float, float, float],
) -> bytes:
    """Return what comes before the values of a volume, for writers of parts of it.

    Parameters
    ----------
    shape : (3,) ints
        (Z, Y, X).
    dtype : dtype
        Type of the values.
    voxel_size_mm : (3,) floats
        Size (x, y, z).
    """
    return start_of(shape, dtype, scaling_affine(voxel_size_mm))


def scaling_affine(
    voxel_size_mm: tuple[float, float, float],
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Affine:
    """Return the matrix (4, 4) that takes voxel indices (x, y, z) to mm.

    Examples
    --------
    >>> (scaling_affine((2.0, 3.0, 4.0), (10.0, 0.0, 0.0)) @ [1, 1, 1, 1]).tolist()
    [12.0, 3.0, 4.0, 1.0]
    """
    affine = np.diag([*voxel_size_mm, 1.0])
    affine[:3, 3] = origin_mm
    return affine


def start_of(
    shape: tuple[int, ...],
    dtype: DTypeLike,
    affine: Affine,
    *,
    aligned: bool = False,
    slope: float = 1,
    name: str = "",
    description: str = "",
) -> bytes:
    """Return the header of a volume, or of vectors, and the bytes up to the first value.

    Parameters
    ----------
    shape : (3,) or (4,) ints
        (Z, Y, X) or (C, Z, Y, X).
    dtype : dtype
        Type of the values.
    affine : (4, 4) array
        Voxel indices (x, y, z) to mm.
    aligned : bool
        The affine leads to the coordinates of another image (code 2), not to the microscope's (1).
    slope, name, description
        See `write_nifti`.
    """
    # Of the values only their type and number matter.
    image = nib.Nifti1Image(np.broadcast_to(np.zeros((), dtype), shape).T, affine)
    header = image.header
    header.set_xyzt_units("mm")
    image.set_qform(None, code=0)
    image.set_sform(affine, code=2 if aligned else 1)
    header["intent_name"], header["descrip"] = name.encode(), description.encode()
    header.set_data_offset(_START_BYTES)
    header.set_slope_inter(slope, 0)
    start: bytes = header.binaryblock
    return start + bytes(_START_BYTES - len(start))


def read_layout(path: Path) -> Layout:
    """Return how the values of an uncompressed volume lie in its file, for readers of parts.

    Raises
    ------
    DataError
        Not a NIfTI file, or one whose values are scaled.
    """
    layout, slope, intercept = read_scaled_layout(path)
    if (slope, intercept) != (1, 0):
        raise DataError(path, found=f"values scaled by {slope:g}", expected="plain values")
    return layout


def read_scaled_layout(path: Path) -> tuple[Layout, float, float]:
    """Return how the values of an uncompressed volume lie in its file, with their scale.

    Returns
    -------
    layout : Layout
        Shape, type and place.
    slope, intercept : float
        1 and 0 where the header holds no scale.

    Raises
    ------
    DataError
        Not a NIfTI file.
    """
    proxy = _open(path).dataobj
    layout = Layout(tuple(reversed(proxy.shape)), proxy.dtype, proxy.offset)
    return layout, float(proxy.slope), float(proxy.inter)


def read_nifti(path: Path) -> NDArray:
    """Read a map as (Y, X), a volume as (Z, Y, X), a vector map as (C, Z, Y, X).

    Uncompressed volumes are memory-mapped: slicing reads only what is asked for. Where the header
    holds a scale, the whole array is read and scaled to float32.

    Raises
    ------
    DataError
        Not a NIfTI file, or cut short.
    """
    stored, slope, intercept = read_unscaled(path)
    if (slope, intercept) == (1, 0):
        return stored
    return stored * np.float32(slope) + np.float32(intercept)


def read_unscaled(path: Path) -> tuple[NDArray, float, float]:
    """Read an array as it is stored, with slope and intercept of its values.

    Returns
    -------
    stored : (Y, X), (Z, Y, X) or (C, Z, Y, X) array
        Memory-mapped where the file is not compressed.
    slope, intercept : float
        1 and 0 where the header holds no scale.

    Raises
    ------
    DataError
        Not a NIfTI file, or cut short.
    """
    image = _open(path)
    return _array_of(image, path), float(image.dataobj.slope), float(image.dataobj.inter)


def read_affine(path: Path) -> Affine:
    """Return the matrix (4, 4) that takes voxel indices (x, y, z) to mm."""
    return np.asarray(_open(path).affine, np.float64)


def read_shape(path: Path) -> tuple[int, ...]:
    """Return the size (x, y, z, ...) from the header."""
    return tuple(int(n) for n in _open(path).shape)


def read_voxel_size_mm(path: Path) -> tuple[float, float, float]:
    """Return the voxel size (x, y, z) in mm from the header."""
    x, y, z = _open(path).header.get_zooms()[:3]
    return (float(x), float(y), float(z))


def _open(path: Path) -> Any:  # noqa: ANN401 - nibabel is not typed
    if not path.exists():
        raise DataError(path, found="no file", expected="a NIfTI file")
    with path.open("rb"):
        pass  # Of a file that may not be read nibabel says that its type is unknown.
    try:
        return nib.load(path)
    except (ImageFileError, EOFError) as error:
        raise DataError(path, found=str(error), expected="a NIfTI file") from error


def _array_of(image: Any, path: Path) -> NDArray:  # noqa: ANN401
    try:
        array = np.asanyarray(image.dataobj.get_unscaled()).T
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            path, found=f"{path.stat().st_size} bytes", expected=f"voxels {image.shape}"
        ) from error
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array
