"""OME-Zarr: metadata of volumes with a pyramid of factor 2 per axis, and reading.

Version 0.5 is Zarr 3 with shards; 0.4 is Zarr 2, every chunk a file, for programs that read no
other.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

from octflow.core.errors import DataError, SettingsError
from octflow.io.atomic import replacing
from octflow.io.digest import content_id
from octflow.io.shards import CODEC, CODEC_OF_CHUNKS, Shape

Version = Literal["0.5", "0.4"]

_COARSEST_PX = 128
"""The pyramid ends where no axis is longer than this."""
_OF_GROUP: dict[Version, str] = {"0.5": "zarr.json", "0.4": ".zattrs"}
"""The file with the attributes of a volume."""
_OF_ARRAY = ("zarr.json", ".zarray")


@dataclass(frozen=True)
class Plan:
    """What a volume (Z, Y, X) of float32 is to be, but for its values."""

    shape: Shape
    """Size (n_z, n_y, n_x)."""
    voxel_size_mm: tuple[float, float, float]
    """Size (x, y, z) of the finest voxels; the centre of the first lies at the origin."""
    name: str
    """Name of the picture shown by viewers."""
    axial: bool = False
    """The values are axis angles in degrees: coarser levels are their axial means."""
    chunk_px: Shape = (64, 64, 64)
    """Size (z, y, x) of what is compressed together."""
    shard_px: Shape = (256, 256, 256)
    """Size (z, y, x) of what is made at a time and, in version 0.5, lies in one file."""
    version: Version = "0.5"
    """Version of OME-Zarr."""
    made_from: str | None = None
    """Digest of whatever decides the values: what a killed process left of the same volume is
    continued, its finished shards are not asked for again. It stands in the metadata."""

    def __post_init__(self) -> None:
        if any(shard % chunk for shard, chunk in zip(self.shard_px, self.chunk_px, strict=True)):
            raise SettingsError(
                f"shard_px: found {self.shard_px}, expected multiples of chunk_px {self.chunk_px}"
            )

    @property
    def shapes(self) -> list[Shape]:
        """Sizes of the levels: halved, rounding up, until the longest axis is short enough.

        Examples
        --------
        >>> Plan((5, 200, 300), (1, 1, 1), "a").shapes
        [(5, 200, 300), (3, 100, 150), (2, 50, 75)]
        """
        shapes = [self.shape]
        while max(shapes[-1]) > _COARSEST_PX:
            shapes.append(as_shape(math.ceil(n / 2) for n in shapes[-1]))
        return shapes

    def shard_of(self, level: int) -> Shape:
        """Size of a shard of a level: not larger than a small level needs, in whole chunks."""
        sizes = zip(self.shard_px, self.shapes[level], self.chunk_px, strict=True)
        return as_shape(min(s, cells(n, c) * c) for s, n, c in sizes)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the group."""
        scales = _multiscales(self)
        if self.version == "0.4":
            attributes: dict[str, Any] = {"multiscales": [{"version": "0.4", **scales}]}
        else:
            attributes = {"ome": {"version": "0.5", "multiscales": [scales]}}
        if self.made_from is not None:
            decided_by = [self.made_from, self.shape, self.chunk_px, self.shard_px, self.axial]
            attributes["octflow"] = {"made_from": content_id(decided_by)}
        return attributes


def begin(folder: Path, plan: Plan) -> None:
    """Write all metadata; those of the group come last and tell that the others are there."""
    for level in range(len(plan.shapes)):
        _create_level(folder / str(level), plan, level)
    content = plan.attributes
    if plan.version == "0.4":
        (folder / ".zgroup").write_text(json.dumps({"zarr_format": 2}, indent=2))
    else:
        content = {"attributes": content, "zarr_format": 3, "node_type": "group"}
    with replacing(folder / _OF_GROUP[plan.version]) as metadata:
        metadata.write_text(json.dumps(content, indent=2))


def is_begun(folder: Path, plan: Plan) -> bool:
    """Tell whether a folder holds the metadata of this very volume."""
    try:
        found = json.loads((folder / _OF_GROUP[plan.version]).read_bytes())
    except OSError:
        return False
    return bool((found if plan.version == "0.4" else found["attributes"]) == plan.attributes)


def read_volume(path: Path, level: int = 0) -> zarr.Array:
    """Open one level of a volume; slicing the array (Z, Y, X) reads what is asked for.

    Raises
    ------
    DataError
        The folder holds no such level.
    """
    folder = path / str(level)
    if not any((folder / name).is_file() for name in _OF_ARRAY):
        raise DataError(folder, found="no zarr.json", expected="a Zarr array of an OME-Zarr volume")
    return zarr.open_array(folder, mode="r")


def read_volume_voxel_size_mm(path: Path, level: int = 0) -> tuple[float, float, float]:
    """Return the voxel size (x, y, z) in mm of one level."""
    attributes: dict[str, Any] = dict(zarr.open_group(path, mode="r").attrs)
    scales = attributes.get("ome", attributes)["multiscales"][0]
    z, y, x = scales["datasets"][level]["coordinateTransformations"][0]["scale"]
    return (float(x), float(y), float(z))


def _create_level(path: Path, plan: Plan, level: int) -> None:
    if plan.version == "0.4":
        keys = {"name": "v2", "separator": "/"}
        form: dict[str, Any] = {"zarr_format": 2, "chunk_key_encoding": keys}
        form["compressors"] = CODEC_OF_CHUNKS
    else:
        form = {"zarr_format": 3, "dimension_names": ("z", "y", "x")}
        form |= {"compressors": CODEC, "shards": plan.shard_of(level)}
    zarr.create_array(
        path,
        shape=plan.shapes[level],
        chunks=plan.chunk_px,
        dtype="float32",
        fill_value=np.nan,
        overwrite=True,  # What is there may be half written.
        **form,
    )


def _multiscales(plan: Plan) -> dict[str, Any]:
    size = plan.voxel_size_mm[::-1]

    def dataset(level: int) -> dict[str, Any]:
        factor = 2**level
        scale = {"type": "scale", "scale": [factor * s for s in size]}
        # The first voxel of a level covers `factor` fine voxels: its centre lies in their middle.
        shift = {"type": "translation", "translation": [(factor - 1) / 2 * s for s in size]}
        return {"path": str(level), "coordinateTransformations": [scale, shift]}

    axes = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    datasets = [dataset(level) for level in range(len(plan.shapes))]
    return {"name": plan.name, "axes": axes, "datasets": datasets, "type": "mean"}


def cells(size: int, cell: int) -> int:
    """Return the number of cells that hold a size."""
    return -(-size // cell)


def as_shape(values: Iterable[int]) -> Shape:
    """Return three integers as plain ones."""
    z, y, x = values
    return (int(z), int(y), int(x))
