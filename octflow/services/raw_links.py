"""An acquisition folder made of links to the raw tiles of a dandiset folder: nothing is copied."""

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from octflow.core.bids import Ids, raw_ids
from octflow.core.errors import DataError, SettingsError
from octflow.core.names import RawKind, archived_kind, raw_name, used_kind
from octflow.io.compressed import is_compressed
from octflow.services.dandiset import Linked, link_file
from octflow.workflow.config import Config
from octflow.workflow.session import Session


@dataclass
class LinkedRaw(Linked):
    """What became of the acquisition folder."""

    refused: list[str] = field(default_factory=list)
    """Files that got no link, one line each: file, found, expected."""


def link_acquisition(session: Session, dandiset: Path) -> LinkedRaw:
    """Fill the acquisition folder of a project with links to the raw tiles of a dandiset.

    Ids are read from their names by `upload.raw_name`, and the links are named as the microscope
    names tiles. Compressed spectra are read as they are.

    Parameters
    ----------
    session : Session
        The project that is to be made from them.
    dandiset : Path
        A folder that was downloaded, cloned, or filled by another project.

    Raises
    ------
    DataError
        There is nothing that may be a raw tile; or a file, not a link, is where a link has to be.
    SettingsError
        Tiles are to be made from what no archive holds.
    """
    kind = _kind(session.config)
    folder = session.pipeline / session.config.acquisition.folder
    linked, named = LinkedRaw(), _Names(session.config, kind)
    template = session.config.upload.raw_name
    seen = 0
    for path in _candidates(dandiset, PurePosixPath(template).suffix):
        seen += 1
        try:
            name = named.of(path, path.relative_to(dandiset).as_posix())
        except DataError as error:
            linked.refused.append(str(error))
            continue
        link_file(path.absolute(), folder / name, linked)
    if not seen:
        raise DataError(dandiset, found="no raw tile", expected=f"names like {template}")
    return linked


def _kind(config: Config) -> RawKind:
    """Return the format of the raw tiles that an archive holds."""
    asked = config.acquisition.format
    if (kind := archived_kind(asked)) != used_kind(asked):
        raise SettingsError(
            f"acquisition.format: found {asked}, expected {kind}: an archive holds nothing else"
        )
    return kind


def _candidates(dandiset: Path, suffix: str) -> Iterator[Path]:
    """Yield what may be a raw tile, by its suffix."""
    for folder, folders, files in os.walk(dandiset):
        folders[:] = sorted(name for name in folders if _may_hold_raw_tiles(name))
        paths = (Path(folder, name) for name in sorted(files) if not name.startswith("."))
        yield from (path for path in paths if path.suffix == suffix)


def _may_hold_raw_tiles(folder: str) -> bool:
    """Tell it of a folder; in others files of the same suffix are something else."""
    return not (folder.startswith(".") or folder == "derivatives" or folder.endswith(".ome.zarr"))


class _Names:
    """Names of tiles, each given once."""

    def __init__(self, config: Config, kind: RawKind) -> None:
        self._config, self._kind = config, kind
        self._given: dict[tuple[int, int], Path] = {}
        self._grids: dict[int, Container[int]] = {}

    def of(self, path: Path, place: str) -> str:
        """Return the name that the microscope would give to a file of the dandiset."""
        template, subject = self._config.upload.raw_name, self._config.project.subject
        if (ids := raw_ids(template, place)) is None or ids.tile is None:
            raise DataError(path, found="another name", expected=f"one like {template}")
        if ids.subject not in {"", subject}:
            raise DataError(path, found=f"subject {ids.subject}", expected=f"{subject}")
        mosaic = self._mosaic(path, ids)
        if mosaic not in self._grids:
            self._grids[mosaic] = self._config.experiment.grid_of(mosaic)
        if ids.tile not in self._grids[mosaic]:
            expected = f"one of the grid of mosaic {mosaic}"
            raise DataError(path, found=f"tile {ids.tile}", expected=expected)
        self._check_content(path)
        if (other := self._given.setdefault((mosaic, ids.tile), path)) != path:
            raise DataError(path, found=f"the tile of {other}", expected="one of its own")
        per_slice = len(self._config.experiment.illuminations)
        counted = mosaic - self._config.acquisition.slice_offset * per_slice
        if counted < 1:
            expected = "1 or later: see acquisition.slice_offset"
            raise DataError(path, found=f"mosaic {counted}", expected=expected)
        return raw_name(counted, ids.tile, self._kind, compressed=is_compressed(path))

    def _mosaic(self, path: Path, ids: Ids) -> int:
        """Return the mosaic; a name tells it by its number, or by slice and illumination."""
        experiment, said = self._config.experiment, ids.illumination
        names = [row.name for row in experiment.illuminations]
        if said is not None and said not in names:
            expected = f"one of {', '.join(names)}"
            raise DataError(path, found=f"illumination {said}", expected=expected)
        mosaic = ids.mosaic
        if mosaic is None:
            mosaic = experiment.mosaic_of(ids.slice or 0, said or names[0])
        if mosaic < 1:
            raise DataError(path, found="a number 0", expected="slices and mosaics from 1")
        slice_id, name = experiment.slice_of(mosaic), experiment.illumination_of(mosaic).name
        if ids.slice not in {None, slice_id} or said not in {None, name}:
            expected = f"slice {slice_id}, illumination {name}"
            raise DataError(path, found=f"mosaic {mosaic} of another", expected=expected)
        return mosaic

    def _check_content(self, path: Path) -> None:
        if not path.is_file():
            expected = "the content of the tile: has it been fetched?"
            raise DataError(path, found="a link to nothing", expected=expected)
        if is_compressed(path) and self._kind == "complex":
            expected = "a complex tile unpacked, as its voxels are read in place"
            raise DataError(path, found="a compressed file", expected=expected)
