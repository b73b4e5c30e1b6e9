"""One function per rule of the stage process."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.backend import PLAIN_MATLAB, MatlabSettings
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import obtainable, tile_name
from octflow.core.record import Outcome, Product, Record
from octflow.core.scaled import STEPS
from octflow.core.settings import Retries
from octflow.io.archive_tiles import Along
from octflow.io.atomic import complete
from octflow.io.batch import (
    TileJob,
    TileRecord,
    accept,
    read_tile_record,
    recall,
    work_through,
)
from octflow.io.complex_source import ComplexSource
from octflow.io.delivered import (
    DeliveredFiles,
    delivered_files,
    delivered_job,
    read_delivered,
)
from octflow.io.digest import content_id, fast_id
from octflow.io.instrument import instrument_files
from octflow.io.matlab_job import MatlabBatch, work_folder
from octflow.io.nifti import write_nifti
from octflow.io.records import product, read_record
from octflow.io.scaled import write_int16
from octflow.stages.process import VERSION
from octflow.stages.process.completion import complete_tile
from octflow.stages.process.elsewhere import compute_elsewhere, judge_made
from octflow.stages.process.overview import write_overview
from octflow.stages.process.settings import ProcessSettings, SurfaceRule
from octflow.stages.process.surface_map import surface_map, surface_of
from octflow.stages.process.tile import process_tile
from octflow.stages.process.told import outcome_of


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
    batch: int
    source: ComplexSource
    instrument: Instrument
    settings: ProcessSettings
    surface: SurfaceRule | int | NDArray[np.float32]
    folder: Path
    signature: str
    along: Along
    delivered: dict[int, DeliveredFiles]
    size_px: tuple[int, int]

    @property
    def jobs(self) -> list[TileJob]:
        """One job per tile that can be used, from complex samples or from what is delivered."""
        linked = [delivered_job(tile, files) for tile, files in self.delivered.items()]
        return [*self.source.jobs, *linked]


def process_batch(  # noqa: PLR0913 - the names of the rule
    *,
    converted: Path,
    folder: Path,
    overview: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ProcessSettings,
    archive: ArchiveAlong = NO_ARCHIVE,
    matlab: MatlabSettings = PLAIN_MATLAB,
    threads: int,
) -> Outcome:
    """Turn the complex tiles of a batch into volumes, maps and a contact sheet.

    Volumes and maps that the microscope delivers are linked, and others computed from them.

    Parameters
    ----------
    converted : Path
        Record of `convert_batch`. What failed there is missing here.
    folder : Path
        Where products go; their small records go to its subfolder `records`.
    overview : Path
        Contact sheet, JPEG or PNG.
    illumination : Illumination
        Gives the size of a tile.
    instrument : Instrument
        Gives wavelength and voxel size.
    settings : ProcessSettings
        Axis offset, surface, window, products, judgement.
    archive : ArchiveAlong
        Where copies of the raw tiles go that are read here for the first time, if anywhere.
    matlab : MatlabSettings
        How the backend is run, where it is not Python.
    threads : int
        Tiles worked on side by side.

    Returns
    -------
    outcome : Outcome
        Outputs with their modality as role; `surfraw` is the surface before its median filter.

    Raises
    ------
    DataError
        The map of the surface cannot be used.
    TooManyFailuresError
        More tiles failed than accepted.
    SettingsError
        There is no such program as the backend's.
    """
    record = read_record(converted)
    source = ComplexSource(record, illumination, instrument)
    plan = _Plan(
        mosaic=record.unit.mosaic or 0,
        batch=record.unit.batch or 0,
        source=source,
        instrument=instrument,
        settings=settings,
        surface=surface_of(settings, illumination),
        folder=folder,
        signature=content_id(
            [_signature(record, illumination, instrument, settings), source.signature]
        ),
        along=Along(archive, record.unit, illumination.name),
        delivered=delivered_files(record),
        size_px=(illumination.tile_size_x_px, illumination.tile_size_y_px),
    )
    with _worker(plan, illumination, matlab, threads) as work:
        result = work_through(
            plan.jobs,
            work,
            records=folder / "records",
            signature=plan.signature,
            threads=threads,
            # Of another program, the attempts are those of the job.
            retries=settings.retries if settings.backend == "python" else Retries(attempts=1),
        )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    outcome = outcome_of(result, record)
    outcome.warnings += [*sorted(plan.along.warnings), *_left_out(plan)]
    if (path := surface_map(settings)) is not None:
        outcome.inputs.append(product(path, "surface_map"))
    if source.signature is not None:
        outcome.inputs.extend(instrument_files(instrument))
    write_overview(overview, result, outcome, record.unit)
    outcome.outputs.append(product(overview, "overview"))
    source.release(result.done)
    return outcome


def _signature(
    record: Record, illumination: Illumination, instrument: Instrument, settings: ProcessSettings
) -> str:
    """Digest what decides the products of a tile, besides the complex tile."""
    path = surface_map(settings)
    return content_id(
        {
            "version": VERSION,
            "mosaic": record.unit.mosaic,
            "tile_size_px": [illumination.tile_size_x_px, illumination.tile_size_y_px],
            "lanes": [illumination.lane, illumination.n_lanes],
            "wavelength_um": instrument.wavelength_um,
            "voxel_size_mm": instrument.voxel_size_mm,
            "surface_map": None if path is None else fast_id(path),
            "settings": settings.model_dump(mode="json", exclude={"max_failed_tiles", "retries"}),
        }
    )


def _left_out(plan: _Plan) -> Iterator[str]:
    """Name what is asked for and neither delivered nor to be made of what is."""
    for roles in {tuple(files) for files in plan.delivered.values()}:
        lost = [m for m in plan.settings.modalities if m not in obtainable(roles)]
        if lost:
            yield (
                f"left out {', '.join(lost)}: found {', '.join(roles)} delivered, expected the "
                "volumes they are made of; remove them from process.modalities"
            )


@contextmanager
def _worker(
    plan: _Plan, illumination: Illumination, matlab: MatlabSettings, threads: int
) -> Iterator[Callable[[TileJob], TileRecord]]:
    """Yield what works on a tile; another program has then done its part for all of them."""
    if plan.settings.backend == "python":
        yield lambda job: _process_tile(job, plan)
        return
    records = plan.folder / "records"
    left = [job for job in plan.jobs if recall(records, job, plan.signature) is None]
    with work_folder(plan.folder, f"batch-{plan.batch:03d}") as work:
        batch = compute_elsewhere(
            left, illumination, plan.instrument, plan.settings, matlab, work=work, threads=threads
        )
        yield lambda job: _take_tile(job, plan, batch)


def _process_tile(job: TileJob, plan: _Plan) -> TileRecord:
    if job.tile in plan.delivered:
        return _complete_tile(job, plan)
    measured = _measured_before(job)
    with plan.along.copying(job) as copy:
        tile = plan.source.open(job, copy)
        found = process_tile(tile, plan.surface, measured, plan.instrument, plan.settings)
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=tile.inputs,
        outputs=_write_products(job.tile, found.arrays, plan),
        qc=found.qc,
        gates=found.gates,
    )


def _take_tile(job: TileJob, plan: _Plan, batch: MatlabBatch) -> TileRecord:
    """Take what another program computed of a complex tile that is the one recorded."""
    tile = plan.source.open(job)
    made = batch.of(job.tile)
    found = judge_made(made, batch, _measured_before(job), plan.size_px, plan.settings)
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=tile.inputs,
        outputs=_write_products(job.tile, found.arrays, plan, made.outputs),
        qc=found.qc,
        gates=found.gates,
        backend=batch.program,
    )


def _complete_tile(job: TileJob, plan: _Plan) -> TileRecord:
    """Link what is delivered of a tile, and write what is not."""
    read = [read_delivered(file, *plan.size_px) for file in plan.delivered[job.tile].values()]
    found = complete_tile(
        {array.source.role: array.values for array in read},
        Path(job.source.path),
        plan.surface,
        plan.instrument,
        plan.settings,
    )
    links = [
        array.link(plan.folder / tile_name(plan.mosaic, job.tile, array.source.role))
        for array in read
    ]
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=[array.source for array in read],
        outputs=[*links, *_write_products(job.tile, found.arrays, plan)],
        qc=found.qc,
        gates=found.gates,
    )


def _measured_before(job: TileJob) -> dict[str, float]:
    """Return what convert measured on the raw tile, where it looked at one."""
    before = read_tile_record(Path(job.source.path).parent / "records", job.tile)
    known = {} if before is None else before.qc
    return {name: known[name] for name in ("saturated_fraction",) if name in known}


def _write_products(
    tile: int,
    arrays: Mapping[str, NDArray[np.float32]],
    plan: _Plan,
    files: Mapping[str, Path] = MappingProxyType({}),
) -> list[Product]:
    """Write what was asked for, or rename the files in which it already is.

    The surface and the scattering, where computed, always.
    """
    x_mm, y_mm, z_mm = plan.instrument.voxel_size_mm
    window_mm = z_mm * plan.settings.enface_depth_px
    wanted = {*plan.settings.modalities, "surf", "surfraw", "mus"}
    written = []
    for role in (name for name in arrays if name in wanted):
        path = plan.folder / tile_name(plan.mosaic, tile, role)
        if role in STEPS and plan.settings.storage == "int16":
            write_int16(path, arrays[role], role, voxel_size_mm=(x_mm, y_mm, z_mm))
        elif role in files:
            complete(files[role], path)
        else:
            depth_mm = z_mm if arrays[role].ndim == 3 else window_mm
            write_nifti(path, arrays[role], voxel_size_mm=(x_mm, y_mm, depth_mm))
        written.append(product(path, role, tile))
    return written
