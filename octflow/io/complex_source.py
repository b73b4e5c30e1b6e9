"""The complex tiles of a batch, wherever they come from: files, or raw spectra."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import RawKind, parse_raw_name
from octflow.core.record import Record
from octflow.io.archive_tiles import TileCopy
from octflow.io.batch import TileJob, TileRecord
from octflow.io.complex_tiles import StoredTile
from octflow.io.raw import Lanes
from octflow.io.records import checked, listed
from octflow.io.spectral_tiles import Reconstruction, SpectralTile, read_reconstruction


class ComplexSource:
    """What the record of `convert_batch` offers to those who need complex tiles.

    Parameters
    ----------
    record : Record
        Of `convert_batch`. Its setting `complex` says whether complex tiles are kept, temporary,
        or none.
    illumination : Illumination
        Gives the size of a tile, and its A-lines where a raw file holds several illuminations.
    instrument : Instrument
        Gives what spectra are reconstructed with.
    """

    def __init__(self, record: Record, illumination: Illumination, instrument: Instrument) -> None:
        self._settings = record.parameters.get("settings", {})
        self._mode = self._settings.get("complex", "keep")
        self._size = illumination.tile_size_x_px, illumination.tile_size_y_px
        self._lanes = Lanes(illumination.lane, illumination.n_lanes)
        self._instrument = instrument
        self._raw = {p.tile: p for p in record.inputs if p.role == "raw" and p.tile is not None}
        self._stored = {p.tile: p for p in listed(record, "complex") if p.tile is not None}
        ok = record.tiles.ok if record.tiles and self._mode == "none" else []
        self._sources = {t: self._raw[t] for t in ok if t in self._raw} | self._stored

    @property
    def jobs(self) -> list[TileJob]:
        """One job for every tile that `convert_batch` did not fail on."""
        return [TileJob(tile, self._sources[tile]) for tile in sorted(self._sources)]

    @property
    def signature(self) -> str | None:
        """Digest of what complex tiles are made with; None where their files say it."""
        return self._reconstruction.signature if set(self._sources) - set(self._stored) else None

    def open(self, job: TileJob, copy: TileCopy | None = None) -> StoredTile | SpectralTile:
        """Return the complex tile of a job; a temporary one that is gone is made again.

        Parameters
        ----------
        job : TileJob
            One of `jobs`.
        copy : TileCopy, optional
            Takes the raw bytes of a tile that is read here for the first time.

        Raises
        ------
        DataError
            The file is not the one that was recorded.
        """
        if job.tile not in self._stored:
            return self._from_spectra(job.tile, copy)
        there = Path(job.source.path).exists()
        if not there and self._mode == "temporary" and self._kind_of(job.tile) != "complex":
            return self._from_spectra(job.tile)
        checked(job.source, digest=True)
        return StoredTile(job.source, *self._size)

    def release(self, done: Iterable[TileRecord]) -> None:
        """Remove temporary complex tiles whose products are all there, as their digests say.

        Links to what the microscope delivered stay.

        Raises
        ------
        DataError
            A product is not what was written.
        """
        if self._mode != "temporary":
            return
        for record in (r for r in done if r.tile in self._stored):
            path = Path(self._stored[record.tile].path)
            if path.is_symlink() or not path.exists():
                continue
            for written in record.outputs:
                checked(written, digest=True)
            path.unlink()

    def _from_spectra(self, tile: int, copy: TileCopy | None = None) -> SpectralTile:
        return SpectralTile(
            self._raw[tile],
            self._kind_of(tile),
            *self._size,
            self._reconstruction,
            full_scale_counts=self._settings["full_scale_counts"],
            copy=copy,
            lanes=self._lanes,
        )

    def _kind_of(self, tile: int) -> RawKind:
        path = Path(self._raw[tile].path)
        if (name := parse_raw_name(path.name)) is None:
            raise DataError(path, found="another name", expected="the name of a raw tile")
        return name.kind

    @cached_property
    def _reconstruction(self) -> Reconstruction:
        return read_reconstruction(self._instrument, self._settings["window"])
