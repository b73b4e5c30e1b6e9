"""NIfTI files of planes, of which only those that changed are made when the file is made again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.io.gzip_parts import read_gzip_part, write_gzip_parts
from octflow.io.nifti import Affine, read_nifti, start_of

Bands = Iterable[NDArray[np.float32]]


@dataclass(frozen=True)
class Planes:
    """What a file of planes is to be, but for its values."""

    shape: tuple[int, int]
    """Size (Y, X) of a plane."""
    keys: Sequence[str]
    """For every plane, what decides its values; two planes with the same key are the same."""
    affine: Affine
    """Voxel indices (x, y, z) to mm."""
    aligned: bool = False
    """Whether they are the coordinates of another image."""
    components: int = 1
    """Of a value; more than one come last in the file."""
    name: str = ""
    """See `write_nifti`."""
    description: str = ""
    """See `write_nifti`."""


def write_planes(path: Path, planes: Planes, bands_of: Callable[[int], Bands]) -> list[int]:
    """Write planes one after the other; those that the former file has too are copied.

    Memory is that of a band and of a compressed plane, whatever the number of planes.

    Parameters
    ----------
    path : Path
        Ends in .nii.gz. Written whole or not at all. Same values, same bytes, whatever was there.
    planes : Planes
        Size, keys, header.
    bands_of : callable
        Takes the index of a plane and yields its lines from the first to the last, a band (C, N, X)
        of float32 at a time.

    Returns
    -------
    made : list of int
        Planes that were asked for.
    """
    one, stacked = planes.components == 1, (len(planes.keys), *planes.shape)
    start = start_of(
        stacked if one else (planes.components, *stacked),
        np.float32,
        planes.affine,
        aligned=planes.aligned,
        name=planes.name,
        description=planes.description,
    )
    return write_gzip_parts(
        path, start, planes.keys, lambda i: _buffers(bands_of(i)), runs=planes.components
    )


def read_plane(path: Path, index: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read one plane of the first component, without those before it.

    Parameters
    ----------
    path : Path
        Written by `write_planes`.
    index : int
        Which one.
    shape : (2,) ints
        Size (Y, X) of a plane.
    """
    content = read_gzip_part(path, 1 + index)
    if content is not None:
        return np.frombuffer(content, "<f4").reshape(shape)
    return np.asarray(read_nifti(path), np.float32).reshape(-1, *shape)[index]


def _buffers(bands: Bands) -> Iterable[Sequence[NDArray[np.float32]]]:
    return (list(np.ascontiguousarray(band, np.float32)) for band in bands)
