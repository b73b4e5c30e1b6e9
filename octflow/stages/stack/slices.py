"""The slices of a project as their flags tell of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import Product, Record
from octflow.io.nifti import read_nifti
from octflow.io.records import checked, listed, read_record

Records = dict[int, Record]


def records_by_slice(flags: Iterable[Path], illumination: str | None = None) -> Records:
    """Read flags, and return their records by slice, ascending.

    Parameters
    ----------
    flags : iterable of Path
        Records of mosaics or slices.
    illumination : str, optional
        Keep only mosaics of this one.
    """
    records: Records = {}
    for flag in flags:
        record = read_record(flag)
        if illumination not in {None, record.unit.illumination}:
            continue
        if record.unit.slice is None:
            raise DataError(flag, found="a record without a slice", expected="one of a slice")
        records[record.unit.slice] = record
    return dict(sorted(records.items()))


def products_of(records: Records, role: str) -> dict[int, Product]:
    """Return the product of a role of every slice that has it."""
    found = {slice_id: listed(record, role) for slice_id, record in records.items()}
    return {slice_id: products[0] for slice_id, products in found.items() if products}


def read_map(one: Product) -> NDArray[np.float32]:
    """Read a map (Y, X), or vectors (3, Y, X), as float32."""
    array = np.asarray(read_nifti(checked(one)), np.float32)
    return array[:, 0] if array.ndim == 4 else array


def read_map_shape(one: Product) -> tuple[int, int]:
    """Return the size (Y, X) of a map."""
    n_y, n_x = read_map(one).shape[-2:]
    return n_y, n_x
