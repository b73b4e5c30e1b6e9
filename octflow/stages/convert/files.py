"""One function per rule of the stage convert."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import RawKind, tile_name, used_kind
from octflow.core.record import Gate, Outcome, Record, TileFailure, Tiles
from octflow.io.archive_tiles import Along
from octflow.io.atomic import replacing
from octflow.io.batch import BatchResult, TileJob, TileRecord, accept, work_through
from octflow.io.complex_tiles import examine_complex_tile, write_complex_lines
from octflow.io.delivered import (
    DeliveredFiles,
    check_delivered,
    delivered_files,
    delivered_job,
)
from octflow.io.digest import content_id
from octflow.io.instrument import instrument_files
from octflow.io.raw import Lanes, check_raw_size
from octflow.io.records import product, read_record
from octflow.io.spectral_tiles import (
    Reconstruction,
    SpectralTile,
    check_spectra,
    read_reconstruction,
)
from octflow.stages.convert import VERSION
from octflow.stages.convert.settings import ConvertSettings


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
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
    """
    record = read_record(started)
    along = Along(archive, record.unit, illumination.name)
    plan = _plan(record, folder, illumination, instrument, settings, along)
    work = _worker(plan)
    result = work_through(
        _jobs(plan, record),
        lambda job: work(job, plan),
        records=folder / "records",
        signature=plan.signature,
        threads=threads,
        retries=settings.retries,
        lasting=settings.complex != "temporary",
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    return _outcome(result, record, instrument, along.warnings)


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
        "window": settings.window,
        "full_scale_counts": settings.full_scale_counts,
        "max_saturated_fraction": settings.max_saturated_fraction,
    }
    return _Plan(
        mosaic=record.unit.mosaic or 0,
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


def _worker(plan: _Plan) -> Callable[[TileJob, _Plan], TileRecord]:
    if plan.kind == "complex":
        return _link_tile
    if plan.kind == "processed":
        return _check_delivered
    return _check_tile if plan.settings.complex == "none" else _convert_tile


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
        tile = SpectralTile(
            job.source,
            plan.kind,
            plan.n_x,
            plan.n_y,
            plan.reconstruction,
            full_scale_counts=plan.settings.full_scale_counts,
            copy=copy,
            lanes=plan.lanes,
        )
        write_complex_lines(
            written,
            tile.lines(),
            shape=(tile.n_z, plan.n_y, plan.n_x),
            voxel_size_mm=plan.voxel_size_mm,
        )
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


def _outcome(
    result: BatchResult, record: Record, instrument: Instrument, warnings: list[str]
) -> Outcome:
    missing: list[TileFailure] = record.tiles.missing if record.tiles else []
    warned = [r for r in result.done if any(g.verdict != "pass" for g in r.gates)]
    return Outcome(
        inputs=[*result.inputs, *instrument_files(instrument)],
        outputs=result.outputs,
        tiles=Tiles(ok=[r.tile for r in result.done], failed=result.failed, missing=missing),
        qc={
            "tiles_converted": len(result.done),
            "tiles_failed": len(result.failed),
            "calibration_residual_nm": instrument.calibration_residual_nm,
            "saturated_fraction": max(
                (r.qc["saturated_fraction"] for r in result.done if r.qc), default=None
            ),
        },
        warnings=[
            *(
                f"tile {r.tile}: {r.qc['saturated_fraction']:.3%} of the samples saturated"
                for r in warned
            ),
            *sorted(warnings),
        ],
    )
