"""One function per rule of the stage convert."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.backend import PLAIN_MATLAB, MatlabSettings
from octflow.core.experiment import Illumination
from octflow.core.instrument import N_DEPTH, Instrument
from octflow.core.names import RawKind, tile_name, used_kind
from octflow.core.record import Gate, Outcome, Record
from octflow.core.settings import Retries
from octflow.io.archive_tiles import Along, TileCopy
from octflow.io.atomic import replacing
from octflow.io.batch import TileJob, TileRecord, accept, recall, work_through
from octflow.io.complex_tiles import examine_complex_tile, write_complex_lines
from octflow.io.delivered import (
    DeliveredFiles,
    check_delivered,
    delivered_files,
    delivered_job,
)
from octflow.io.digest import content_id
from octflow.io.matlab_job import MatlabBatch, work_folder
from octflow.io.raw import Lanes, check_raw_size
from octflow.io.records import product, read_record
from octflow.io.spectral_tiles import (
    Reconstruction,
    SpectralTile,
    check_spectra,
    read_reconstruction,
)
from octflow.stages.convert import VERSION
from octflow.stages.convert.elsewhere import place_complex, reconstruct_elsewhere
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.convert.told import outcome_of


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
    batch: int
    kind: RawKind
    n_x: int
    n_y: int
    lanes: Lanes
    reconstruction: Reconstruction
    voxel_size_mm: tuple[float, float, float]
    settings: ConvertSettings
    folder: Path
    signature: str
    along: Along
    delivered: dict[int, DeliveredFiles]


def convert_batch(
    *,
    started: Path,
    folder: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
    archive: ArchiveAlong = NO_ARCHIVE,
    matlab: MatlabSettings = PLAIN_MATLAB,
    threads: int,
) -> Outcome:
    """Turn the raw tiles of a batch into complex tiles; link those delivered as complex.

    Where no complex tiles are wanted, or volumes and maps are delivered, the files of a tile are
    looked at and left to `process_batch`.

    Parameters
    ----------
    started : Path
        Record of the batch: its inputs are the raw tiles.
    folder : Path
        Where complex tiles go; their small records go to its subfolder `records`.
    illumination : Illumination
        Gives the size of a tile.
    instrument : Instrument
        Gives wavelength maps, dispersion and voxel size.
    settings : ConvertSettings
        What becomes of complex tiles, window, saturation, failures accepted.
    archive : ArchiveAlong
        Where copies of the raw tiles go that are read whole here, if anywhere.
    matlab : MatlabSettings
        How the backend is run, where it is not Python.
    threads : int
        Tiles worked on side by side; each takes 0.1 GB for 350 A-lines.

    Returns
    -------
    outcome : Outcome
        Outputs of the role "complex", one per tile that did not fail; none where none are wanted.

    Raises
    ------
    DataError
        The dispersion file cannot be used.
    TooManyFailuresError
        More tiles failed than accepted.
    SettingsError
        There is no such program as the backend's.
    """
    record = read_record(started)
    along = Along(archive, record.unit, illumination.name)
    plan = _plan(record, folder, illumination, instrument, settings, along)
    jobs = _jobs(plan, record)
    with _worker(plan, jobs, illumination, instrument, matlab, threads) as work:
        result = work_through(
            jobs,
            lambda job: work(job, plan),
            records=folder / "records",
            signature=plan.signature,
            threads=threads,
            # Of another program, the attempts are those of the job.
            retries=settings.retries if settings.backend == "python" else Retries(attempts=1),
            lasting=settings.complex != "temporary",
        )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    return outcome_of(result, record, instrument, along.warnings)


def _plan(
    record: Record,
    folder: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
    along: Along,
) -> _Plan:
    reconstruction = read_reconstruction(instrument, settings.window)
    decisive = {
        "version": VERSION,
        "format": record.parameters["acquisition"]["format"],
        "mosaic": record.unit.mosaic,
        "tile_size_px": [illumination.tile_size_x_px, illumination.tile_size_y_px],
        "lanes": [illumination.lane, illumination.n_lanes],
        "voxel_size_mm": instrument.voxel_size_mm,
        "reconstruction": reconstruction.signature,
        "stored": settings.complex != "none",
        "backend": [settings.backend, settings.backend_id],
        "window": settings.window,
        "full_scale_counts": settings.full_scale_counts,
        "max_saturated_fraction": settings.max_saturated_fraction,
    }
    return _Plan(
        mosaic=record.unit.mosaic or 0,
        batch=record.unit.batch or 0,
        kind=used_kind(record.parameters["acquisition"]["format"]),
        n_x=illumination.tile_size_x_px,
        n_y=illumination.tile_size_y_px,
        lanes=Lanes(illumination.lane, illumination.n_lanes),
        reconstruction=reconstruction,
        voxel_size_mm=instrument.voxel_size_mm,
        settings=settings,
        folder=folder,
        signature=content_id(decisive),
        along=along,
        delivered=delivered_files(record),
    )


def _jobs(plan: _Plan, record: Record) -> list[TileJob]:
    raw = [TileJob(p.tile, p) for p in record.inputs if p.role == "raw" and p.tile is not None]
    return [*raw, *(delivered_job(tile, files) for tile, files in plan.delivered.items())]


@contextmanager
def _worker(
    plan: _Plan,
    jobs: list[TileJob],
    illumination: Illumination,
    instrument: Instrument,
    matlab: MatlabSettings,
    threads: int,
) -> Iterator[Callable[[TileJob, _Plan], TileRecord]]:
    """Yield what works on a tile; another program has then done its part for all of them."""
    if plan.kind == "complex":
        yield _link_tile
    elif plan.kind == "processed":
        yield _check_delivered
    elif plan.settings.complex == "none":
        yield _check_tile
    elif plan.settings.backend == "python":
        yield _convert_tile
    else:
        records = plan.folder / "records"
        left = [job for job in jobs if recall(records, job, plan.signature) is None]
        with work_folder(plan.folder, f"batch-{plan.batch:03d}") as work:
            batch = reconstruct_elsewhere(
                left,
                plan.kind,
                illumination,
                instrument,
                plan.settings,
                matlab,
                work=work,
                threads=threads,
            )
            yield lambda job, plan: _take_tile(job, plan, batch)


def _check_tile(job: TileJob, plan: _Plan) -> TileRecord:
    """Look at a raw tile; it is read, and its digest taken, when it is processed."""
    check_spectra(Path(job.source.path), plan.kind, plan.n_x, plan.n_y, lanes=plan.lanes)
    return TileRecord(
        tile=job.tile, source=job.source.id, signature=plan.signature, inputs=[job.source]
    )


def _check_delivered(job: TileJob, plan: _Plan) -> TileRecord:
    """Look at the headers of delivered files; they are read when they are linked."""
    files = plan.delivered[job.tile]
    check_delivered(files, plan.n_x, plan.n_y)
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=list(files.values()),
    )


def _convert_tile(job: TileJob, plan: _Plan) -> TileRecord:
    written = plan.folder / tile_name(plan.mosaic, job.tile, "complex")
    with plan.along.copying(job) as copy:
        tile = _spectral(job, plan, copy)
        write_complex_lines(
            written,
            tile.lines(),
            shape=(tile.n_z, plan.n_y, plan.n_x),
            voxel_size_mm=plan.voxel_size_mm,
        )
    return _record_of(job, plan, tile, written)


def _take_tile(job: TileJob, plan: _Plan, batch: MatlabBatch) -> TileRecord:
    """Take what another program reconstructed; what it does not tell of the raw tile is read."""
    written = plan.folder / tile_name(plan.mosaic, job.tile, "complex")
    with plan.along.copying(job) as copy:
        tile = _spectral(job, plan, copy)
        # First, so that the reason for a tile that is bad is said as ever.
        tile.examine()
        place_complex(batch.of(job.tile), written, (N_DEPTH, plan.n_y, plan.n_x))
    return _record_of(job, plan, tile, written).model_copy(update={"backend": batch.program})


def _spectral(job: TileJob, plan: _Plan, copy: TileCopy | None) -> SpectralTile:
    return SpectralTile(
        job.source,
        plan.kind,
        plan.n_x,
        plan.n_y,
        plan.reconstruction,
        full_scale_counts=plan.settings.full_scale_counts,
        copy=copy,
        lanes=plan.lanes,
    )


def _record_of(job: TileJob, plan: _Plan, tile: SpectralTile, written: Path) -> TileRecord:
    saturated, bound = tile.qc["saturated_fraction"], plan.settings.max_saturated_fraction
    verdict: Literal["pass", "warn"] = "pass" if saturated <= bound else "warn"
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=tile.inputs,
        outputs=[product(written, "complex", job.tile)],
        qc=tile.qc,
        gates=[Gate(name="saturated_fraction", verdict=verdict, value=saturated, bound=bound)],
    )


def _link_tile(job: TileJob, plan: _Plan) -> TileRecord:
    path = Path(job.source.path)
    check_raw_size(path, plan.kind, plan.n_x, plan.n_y)
    with plan.along.copying(job) as copy:
        raw_id, fast_id = examine_complex_tile(path, plan.n_x, plan.n_y, copy=copy)
    link = plan.folder / tile_name(plan.mosaic, job.tile, "complex")
    with replacing(link) as part:
        part.symlink_to(path.resolve())
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=[job.source.model_copy(update={"id": raw_id})],
        outputs=[
            job.source.model_copy(update={"id": fast_id, "path": str(link), "role": "complex"})
        ],
    )
