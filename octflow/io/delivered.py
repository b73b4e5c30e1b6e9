"""Volumes and maps that the microscope delivers: looked at, read once, linked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.names import MODALITIES, VOLUMES
from octflow.core.record import Product, Record
from octflow.core.scaled import Scaled
from octflow.io.atomic import replacing
from octflow.io.batch import TileJob
from octflow.io.digest import Digests
from octflow.io.nifti import Layout, read_scaled_layout

_TYPES = {True: ("<f4", "<i2"), False: ("<f4", "<f8")}
"""Types of volumes and of maps; those of the stages that read them."""

DeliveredFiles = dict[str, Product]
"""Files of one tile by modality."""


def delivered_files(record: Record) -> dict[int, DeliveredFiles]:
    """Return the delivered files of every usable tile of a batch, by tile and modality.

    Parameters
    ----------
    record : Record
        Of `start_batch` or `convert_batch`; its inputs with the role of a modality count.
    """
    usable = set(record.tiles.ok) if record.tiles else set()
    found: dict[int, DeliveredFiles] = {}
    for p in record.inputs:
        if p.role in MODALITIES and p.tile in usable:
            found.setdefault(p.tile, {})[p.role] = p
    return found


def delivered_job(tile: int, files: DeliveredFiles) -> TileJob:
    """Return a job whose source stands for all files of a tile: it changes with any of them."""
    first = next(iter(files.values()))
    sizes_and_times = ", ".join(f"{role} {p.id}" for role, p in sorted(files.items()))
    return TileJob(tile, first.model_copy(update={"id": f"stat:{sizes_and_times}"}))


def check_delivered(files: DeliveredFiles, n_x: int, n_y: int) -> None:
    """Refuse delivered files of another size, shape or type than they must have; read headers.

    Parameters
    ----------
    files : dict of str to Product
        By modality: volumes (n_z, n_y, n_x), maps one sample deep.
    n_x, n_y : int
        A-lines per B-line, B-lines.

    Raises
    ------
    DataError
        Names the first such file.
    """
    depths = {}
    for role, file in files.items():
        layout = _checked_layout(Path(file.path), role, n_x, n_y).layout
        if role in VOLUMES:
            depths[role] = layout.shape[0]
    for role, n_z in depths.items():
        if n_z != depths.get("dBI", n_z):
            expected = f"{depths['dBI']}, as dBI has"
            raise DataError(files[role].path, found=f"{n_z} depth samples", expected=expected)


@dataclass(frozen=True)
class DeliveredArray:
    """A delivered file, read once."""

    source: Product
    """The file, with the SHA-256 of its bytes."""
    fast_id: str
    """Its xxh3 id, which products have."""
    values: NDArray[np.float32]
    """(Z, Y, X) of a volume, (Y, X) of a map."""

    def link(self, path: Path) -> Product:
        """Link the file under another name, and describe the link."""
        with replacing(path) as part:
            part.symlink_to(Path(self.source.path).resolve())
        return self.source.model_copy(update={"id": self.fast_id, "path": str(path)})


def read_delivered(file: Product, n_x: int, n_y: int) -> DeliveredArray:
    """Read a delivered file whole, every byte once, for its digests and for its values.

    Raises
    ------
    DataError
        Another size, shape or type than expected; values that are not finite.
    """
    path = Path(file.path)
    scaled = _checked_layout(path, file.role, n_x, n_y)
    content = np.fromfile(path, np.uint8)
    digests = Digests()
    digests.update(content.data)
    layout = scaled.layout
    stored = content[layout.offset :].view(layout.dtype).reshape(layout.shape)
    shaped = stored if file.role in VOLUMES else stored[0]
    values = Scaled(shaped, np.float32(scaled.slope), np.float32(scaled.intercept)).floats()
    if bad := sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in values):
        raise DataError(path, found=f"{bad} NaN or infinite values", expected="finite values")
    return DeliveredArray(
        source=file.model_copy(update={"id": digests.raw_id}),
        fast_id=digests.fast_id,
        values=np.asarray(values, np.float32),
    )


@dataclass(frozen=True)
class _ScaledLayout:
    layout: Layout
    slope: float
    intercept: float


def _checked_layout(path: Path, role: str, n_x: int, n_y: int) -> _ScaledLayout:
    layout, slope, intercept = read_scaled_layout(path)
    scaled = _ScaledLayout(layout, slope, intercept)
    for found, expected in _differences(path, scaled.layout, role in VOLUMES, n_x, n_y):
        raise DataError(path, found=found, expected=expected)
    return scaled


def _differences(
    path: Path, layout: Layout, volume: bool, n_x: int, n_y: int
) -> Iterator[tuple[str, str]]:
    n_z = "n_z" if volume else "1"
    if len(layout.shape) != 3 or layout.shape[1:] != (n_y, n_x):
        yield f"shape {layout.shape[::-1]}", f"({n_x}, {n_y}, {n_z})"
    elif not volume and layout.shape[0] != 1:
        yield f"shape {layout.shape[::-1]}", f"({n_x}, {n_y}, 1)"
    if layout.dtype not in [np.dtype(t) for t in _TYPES[volume]]:
        wanted = " or ".join(np.dtype(t).name for t in _TYPES[volume])
        yield f"type {layout.dtype}", wanted
    size = layout.offset + int(np.prod(layout.shape)) * layout.dtype.itemsize
    if (found := path.stat().st_size) != size:
        yield f"{found} bytes", f"{size} bytes"
