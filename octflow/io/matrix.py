"""Matrices that take an image into the space of another one, as other programs write them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError

Affine = NDArray[np.float64]

_ITK = b"#Insight Transform File"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""ITK's x and y point the other way round than NIfTI's."""
_EXPECTED = "four lines of four numbers, the last 0 0 0 1, that do not mirror; or ITK's affine"


def read_matrix(path: Path) -> Affine:
    """Read the matrix (4, 4) that takes points (x, y, z, 1) in mm of NIfTI into another space.

    Parameters
    ----------
    path : Path
        Text, four lines of four numbers: from the image to the other space, in NIfTI's coordinates
        (x to the right, y to the front, z up). Or a transform of ITK (.tfm, .txt) found with the
        image as moving and the other space as fixed: it leads the other way, with x to the left
        and y to the back, and is turned round.

    Raises
    ------
    DataError
        Neither of them, or a matrix that mirrors, which no position of a sample does.
    """
    if not path.is_file():
        raise DataError(path, found="no file", expected=_EXPECTED)
    matrix = _read_itk(path) if path.read_bytes().startswith(_ITK) else _read_text(path)
    sound = matrix.shape == (4, 4) and np.isfinite(matrix).all()
    if not sound or not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise DataError(path, found=f"numbers {matrix.tolist()}", expected=_EXPECTED)
    if (volume := float(np.linalg.det(matrix[:3, :3]))) <= 0:
        raise DataError(path, found=f"determinant {volume:.3g}", expected=_EXPECTED)
    return matrix


def _read_text(path: Path) -> Affine:
    try:
        return np.loadtxt(path, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(path, found=str(error), expected=_EXPECTED) from error


def _read_itk(path: Path) -> Affine:
    import SimpleITK as sitk  # Takes long to load, and is seldom asked for.

    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise DataError(path, found="no transform of ITK", expected=_EXPECTED) from error
    if not transform.IsLinear() or transform.GetDimension() != 3:
        raise DataError(path, found=transform.GetName(), expected=_EXPECTED)
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(axis)) - origin for axis in np.eye(3).tolist()]
    to_image = np.eye(4)
    to_image[:3, :3], to_image[:3, 3] = np.stack(columns, axis=1), origin
    found: Affine = _LPS @ np.linalg.inv(to_image) @ _LPS
    return found
