"""MATLAB files that MATLAB and Octave load."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from octflow.io.atomic import replacing

_HEADER_TEXT_BYTES = 116


def write_mat(path: Path, variables: dict[str, NDArray]) -> None:
    """Write arrays as a version 5 MAT-file (MATLAB's -v7, compressed).

    The time that the format keeps in its free text is left out: same arrays, same bytes.

    Parameters
    ----------
    path : Path
        Ends in .mat.
    variables : dict of str to array
        Names and values; an array (Y, X) has MATLAB rows along y.
    """
    buffer = io.BytesIO()
    savemat(buffer, {name: np.asarray(v) for name, v in variables.items()}, do_compression=True)
    text = b"MATLAB 5.0 MAT-file, written by octflow".ljust(_HEADER_TEXT_BYTES)
    with replacing(path) as part:
        part.write_bytes(text + buffer.getvalue()[_HEADER_TEXT_BYTES:])


def read_mat(path: Path) -> dict[str, NDArray]:
    """Read the arrays of a MAT-file."""
    return {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
