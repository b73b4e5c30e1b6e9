"""One function per rule of the stage process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import obtainable, tile_name
from octflow.core.record import Outcome, Product, Record, Tiles
from octflow.core.scaled import STEPS
from octflow.io.archive_tiles import Along
from octflow.io.batch import (
    BatchResult,
    TileJob,
    TileRecord,
    accept,
    read_tile_record,
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
from octflow.io.nifti import write_nifti
from octflow.io.records import product, read_record
from octflow.io.scaled import write_int16
from octflow.stages.process import VERSION
from octflow.stages.process.completion import complete_tile
from octflow.stages.process.overview import write_overview
from octflow.stages.process.quality import said
from octflow.stages.process.settings import ProcessSettings, SurfaceRule
from octflow.stages.process.surface_map import surface_map, surface_of
from octflow.stages.process.tile import process_tile

_SURFACE_QC = ("surface_found_fraction", "surface_edge_px")
_SHARES = ("nan_fraction", "saturated_fraction")


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
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


def process_batch(
    *,
    converted: Path,
    folder: Path,
    overview: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ProcessSettings,
    archive: ArchiveAlong = NO_ARCHIVE,
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
    """
    record = read_record(converted)
    source = ComplexSource(record, illumination, instrument)
    plan = _Plan(
        mosaic=record.unit.mosaic or 0,
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
    result = work_through(
        plan.jobs,
        lambda job: _process_tile(job, plan),
        records=folder / "records",
        signature=plan.signature,
        threads=threads,
        retries=settings.retries,
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    outcome = _outcome(result, record)
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
    tile: int, arrays: Mapping[str, NDArray[np.float32]], plan: _Plan
) -> list[Product]:
    """Write what was asked for; the surface and the scattering, where computed, always."""
    x_mm, y_mm, z_mm = plan.instrument.voxel_size_mm
    window_mm = z_mm * plan.settings.enface_depth_px
    wanted = {*plan.settings.modalities, "surf", "surfraw", "mus"}
    written = []
    for role in (name for name in arrays if name in wanted):
        path = plan.folder / tile_name(plan.mosaic, tile, role)
        if role in STEPS and plan.settings.storage == "int16":
            write_int16(path, arrays[role], role, voxel_size_mm=(x_mm, y_mm, z_mm))
        else:
            depth_mm = z_mm if arrays[role].ndim == 3 else window_mm
            write_nifti(path, arrays[role], voxel_size_mm=(x_mm, y_mm, depth_mm))
        written.append(product(path, role, tile))
    return written


def _outcome(result: BatchResult, record: Record) -> Outcome:
    before = record.tiles or Tiles()
    warned = [(r.tile, g) for r in result.done for g in r.gates if g.verdict != "pass"]
    return Outcome(
        inputs=result.inputs,
        outputs=result.outputs,
        tiles=Tiles(
            ok=[r.tile for r in result.done],
            failed=result.failed,
            missing=sorted([*before.missing, *before.failed], key=lambda t: t.tile),
        ),
        qc={
            "tiles_processed": len(result.done),
            "tiles_failed": len(result.failed),
            **{f"{name}_median": _median(result, name) for name in ("snr_db", "noise_floor_db")},
            **{f"{name}_median": _median(result, name) for name in _SURFACE_QC},
            **{f"{name}_worst": _largest(result, name) for name in _SHARES},
        },
        gates=[g.model_copy(update={"name": f"{g.name}, tile {t}"}) for t, g in warned],
        warnings=[
            f"tile {t}: {found}, expected {expected}"
            for t, (found, expected) in ((t, said(gate)) for t, gate in warned)
        ],
    )


def _median(result: BatchResult, name: str) -> float | None:
    values = [r.qc[name] for r in result.done if name in r.qc]
    return float(np.median(values)) if values else None


def _largest(result: BatchResult, name: str) -> float | None:
    return max((r.qc[name] for r in result.done if name in r.qc), default=None)
