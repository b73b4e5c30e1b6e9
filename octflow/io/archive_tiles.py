"""Copies of the raw tiles of a batch: made for their own sake, or while the tiles are read."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.archive import ArchiveAlong
from octflow.core.names import archive_name
from octflow.core.record import Product, Unit
from octflow.io.archive import ArchiveWriter, archive_file, archiving, check_size
from octflow.io.batch import TileJob, TileRecord, reason_of, recall, write_tile_record
from octflow.io.compressed import is_compressed
from octflow.io.digest import content_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TileArchive:
    """Where the copies of the raw tiles of a batch go, and how they are packed."""

    folder: Path
    subject: str
    slice_id: int
    illumination: str
    level: int
    version: int
    """Of the stage archive."""

    @property
    def records(self) -> Path:
        """Folder of the small records."""
        return self.folder / "records"

    @property
    def signature(self) -> str:
        """Digest of everything besides the raw tile that decides its copy."""
        return content_id({"version": self.version, "level": self.level})

    def path_of(self, job: TileJob) -> Path:
        """Return where the copy of a tile lies."""
        source = Path(job.source.path)
        suffix = Path(source.stem).suffix if is_compressed(source) else source.suffix
        name = archive_name(self.subject, self.slice_id, job.tile, self.illumination, suffix)
        return self.folder / name

    def record(self, job: TileJob, raw_id: str, copy: Product) -> TileRecord:
        """Return the small record of a tile that is archived."""
        return TileRecord(
            tile=job.tile,
            source=job.source.id,
            signature=self.signature,
            inputs=[job.source.model_copy(update={"id": raw_id})],
            outputs=[copy.model_copy(update={"tile": job.tile})],
        )

    def archive(self, job: TileJob, *, threads: int) -> TileRecord:
        """Read a raw tile and archive it.

        Raises
        ------
        DataError
            The file has another size than it had when it was taken in.
        """
        raw_id, copy = archive_file(
            Path(job.source.path),
            self.path_of(job),
            level=self.level,
            threads=threads,
            expected_bytes=job.source.bytes,
        )
        return self.record(job, raw_id, copy)


class TileCopy:
    """The copy of a tile that is made of its bytes while they are read for another purpose.

    Whatever goes wrong with the copy is said and forgotten: who reads the tile is not disturbed.
    Made by `Along`.
    """

    def __init__(self, archive: TileArchive | None, job: TileJob, warnings: list[str]) -> None:
        self._archive = archive
        self._job = job
        self._warnings = warnings
        self._stack = ExitStack()
        self._writer: ArchiveWriter | None = None

    def take(self, content: bytes | NDArray[np.uint8]) -> None:
        """Take the next bytes; their memory may be used again afterwards."""
        with self._forgiven():
            if self._archive is not None and self._writer is None:
                self._writer = self._open(self._archive)
            if self._writer is not None:
                self._writer.write(content)

    def keep(self, raw_id: str) -> None:
        """Finish the copy after the last byte: verified, named, recorded."""
        with self._forgiven():
            if self._archive is None or self._writer is None:
                return
            raw = self._job.source
            check_size(Path(raw.path), self._writer.raw_bytes, raw.bytes)
            self._stack.close()
            record = self._archive.record(self._job, raw_id, self._writer.copy)
            write_tile_record(self._archive.records, record)
            self._archive = None

    def drop(self, error: Exception) -> None:
        """Leave nothing of a copy that is not finished."""
        self._archive = self._writer = None
        with suppress(Exception):
            self._stack.__exit__(type(error), error, error.__traceback__)

    def _open(self, archive: TileArchive) -> ArchiveWriter | None:
        """Begin, unless the tile has been archived as it is."""
        if recall(archive.records, self._job, archive.signature) is not None:
            self._archive = None
            return None
        target = archive.path_of(self._job)
        return self._stack.enter_context(archiving(target, level=archive.level))

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the archive must not disturb who reads
            self.drop(error)
            _, reason = reason_of(self._job, error)
            warning = f"tile {self._job.tile} could not be archived while it was read: {reason}"
            self._warnings.append(warning)
            log.info(warning)


class Along:
    """Archives the tiles of a batch while they are read for another purpose.

    Parameters
    ----------
    settings : ArchiveAlong
        Where to and how; by default, nowhere.
    unit : Unit
        The batch.
    illumination : str
        Its illumination.
    """

    def __init__(self, settings: ArchiveAlong, unit: Unit, illumination: str) -> None:
        self.warnings: list[str] = []
        self._archive = None
        if settings.folder is not None:
            self._archive = TileArchive(
                folder=Path(settings.folder),
                subject=settings.subject,
                slice_id=unit.slice or 0,
                illumination=illumination,
                level=settings.level,
                version=settings.version,
            )

    @contextmanager
    def copying(self, job: TileJob) -> Iterator[TileCopy]:
        """Yield what takes the bytes of a tile; without `keep` nothing is left of it."""
        copy = TileCopy(self._archive, job, self.warnings)
        try:
            yield copy
        finally:
            copy.drop(_DroppedError())


class _DroppedError(Exception):
    """Nobody wanted the copy."""
