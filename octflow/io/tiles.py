"""The products of a mosaic's tiles, read when they are asked for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import TileFailure, Tiles
from octflow.core.scaled import Scaled
from octflow.io.nifti import read_nifti, read_voxel_size_mm
from octflow.io.records import read_record, tile_products
from octflow.io.scaled import read_scaled


class TileMaps(Mapping[int, NDArray[np.float32]]):
    """Maps (Y, X) of the tiles, or several per tile (C, Y, X); nothing is kept in memory.

    Tiles whose file is gone or has another size than was recorded are left out.
    """

    def __init__(
        self,
        flags: list[Path],
        roles: Sequence[str],
        tile_shape: tuple[int, int],
        *,
        among: Collection[int],
    ) -> None:
        sound = [tile_products(flags, role, among) for role in roles]
        self._paths = [paths for paths, _ in sound]
        self.damaged = {tile: why for _, damaged in sound for tile, why in damaged.items()}
        self._shape = tile_shape
        self._tiles = sorted(set(among).intersection(*self._paths))

    def __getitem__(self, tile: int) -> NDArray[np.float32]:
        maps = [self._read(paths[tile]) for paths in self._paths]
        return maps[0] if len(maps) == 1 else np.stack(maps)

    def __iter__(self) -> Iterator[int]:
        return iter(self._tiles)

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def folder(self) -> Path:
        """Folder of the tiles; where there is none, the current one."""
        return next((self._paths[0][tile].parent for tile in self._tiles), Path())

    @property
    def voxel_z_mm(self) -> float | None:
        """Depth of a voxel of the first tile (maps: of the window), None where there is none."""
        if not self._tiles:
            return None
        # The header holds float32: 0.2 mm comes back as 0.2000000030.
        return round(read_voxel_size_mm(self._paths[0][self._tiles[0]])[2], 6)

    def _read(self, path: Path) -> NDArray[np.float32]:
        array = read_nifti(path)
        _check_shape(path, array, self._shape)
        return np.asarray(array, dtype=np.float32)


class TileVolumes(Mapping[int, Scaled]):
    """Volumes (Z, Y, X) of one modality, memory-mapped as they are stored.

    Tiles whose file is gone or has another size than was recorded are left out.
    """

    def __init__(
        self,
        flags: list[Path],
        role: str,
        tile_shape: tuple[int, int],
        *,
        among: Collection[int],
    ) -> None:
        self._paths, self.damaged = tile_products(flags, role, among)
        self._shape = tile_shape
        self._tiles = sorted(set(among).intersection(self._paths))

    def __getitem__(self, tile: int) -> Scaled:
        volume = read_scaled(self._paths[tile])
        _check_shape(self._paths[tile], volume.stored, self._shape)
        return volume

    def __iter__(self) -> Iterator[int]:
        return iter(self._tiles)

    def __len__(self) -> int:
        return len(self._tiles)


def _check_shape(path: Path, array: NDArray, shape: tuple[int, int]) -> None:
    if array.shape[-2:] != shape:
        raise DataError(path, found=f"pixels {array.shape}", expected=f"pixels {shape}")


def tile_fates(
    flags: list[Path], expected: Collection[int], found: TileMaps | TileVolumes
) -> Tiles:
    """Say which tiles of a mosaic are there, and why the others are not.

    Parameters
    ----------
    flags : list of Path
        Records of the mosaic's batches.
    expected : collection of int
        All tiles of the mosaic.
    found : TileMaps or TileVolumes
        Tiles that are used.
    """
    parts = [part for flag in flags if (part := read_record(flag).tiles)]
    known = {hole.tile: hole for part in parts for hole in (*part.missing, *part.failed)}
    known |= {t: TileFailure(tile=t, reason=why) for t, why in found.damaged.items()}
    unknown = "no product in the flags of the batches"
    missing = [
        known.get(tile, TileFailure(tile=tile, reason=unknown))
        for tile in sorted(set(expected) - set(found))
    ]
    return Tiles(ok=sorted(found), missing=missing)


def hole_warnings(tiles: Tiles) -> list[str]:
    """Name the tiles that are not there, if any."""
    if not tiles.missing:
        return []
    count = len(tiles.ok) + len(tiles.missing)
    names = ", ".join(str(hole.tile) for hole in tiles.missing[:20])
    more = ", ..." if len(tiles.missing) > 20 else ""
    return [f"{len(tiles.missing)} of {count} tiles are holes: {names}{more}"]


def damage_warnings(role: str, found: TileMaps | TileVolumes) -> list[str]:
    """Name the tiles that lack one product because its file cannot be used."""
    return [f"{role} of tile {t} is a hole: {why}" for t, why in sorted(found.damaged.items())]


def mosaic_of(flags: list[Path]) -> int:
    """Return the mosaic that the flags of its batches speak of.

    Raises
    ------
    DataError
        They name no mosaic, or several.
    """
    mosaics = {read_record(flag).unit.mosaic for flag in flags}
    mosaic = mosaics.pop() if len(mosaics) == 1 else None
    if mosaic is None:
        where = flags[0] if flags else "flags"
        raise DataError(where, found=f"mosaics {sorted(mosaics, key=str)}", expected="one mosaic")
    return mosaic
