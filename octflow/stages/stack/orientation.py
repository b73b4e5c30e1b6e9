"""The stack in the space of another image."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.io.matrix import read_matrix
from octflow.io.nifti import read_affine, read_shape
from octflow.stages.stack.settings import StackSettings

Affine = NDArray[np.float64]


def centred(
    affine: Affine, shape: tuple[int, ...], other: Affine, other_shape: tuple[int, ...]
) -> Affine:
    """Return the shift (4, 4) that puts the centre of an image on that of another one.

    Parameters
    ----------
    affine, other : (4, 4) arrays
        Voxel indices (x, y, z) to mm.
    shape, other_shape : (3,) ints
        Sizes (x, y, z).

    Examples
    --------
    >>> centred(np.eye(4), (3, 3, 1), np.diag([2.0, 2, 2, 1]), (5, 5, 5))[:3, 3].tolist()
    [3.0, 3.0, 4.0]
    """
    middle, there = (
        matrix @ [*((n - 1) / 2 for n in size), 1]
        for matrix, size in ((affine, shape), (other, other_shape))
    )
    shift = np.eye(4)
    shift[:3, 3] = (there - middle)[:3]
    return shift


def to_reference(affine: Affine, shape: tuple[int, ...], settings: StackSettings) -> Affine | None:
    """Return what takes the stack, in mm, to where the settings want it; None: nowhere.

    Parameters
    ----------
    affine : (4, 4) array
        Of the stacked maps: voxel indices (x, y, z) to mm.
    shape : (3,) ints
        Their size (x, y, z).
    settings : StackSettings
        Reference and transform.

    Raises
    ------
    DataError
        Reference or transform cannot be read.
    """
    if settings.reference is None:
        return None
    other = read_affine(Path(settings.reference))
    if settings.reference_transform != "centre":
        return read_matrix(Path(settings.reference_transform))
    return centred(affine, shape, other, read_shape(Path(settings.reference))[:3])
