"""One function per rule of the stage convert."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import N_SPECTRAL, Instrument
from octflow.core.names import RawKind, tile_name, used_kind
from octflow.core.record import Gate, Outcome, Record, TileFailure, Tiles
from octflow.io.batch import BatchResult, TileJob, TileRecord, accept, work_through
from octflow.io.digest import content_id, fast_id, raw_id
from octflow.io.raw import (
    check_raw_size,
    read_complex_tile,
    read_raw_bytes,
    spectra_of,
    write_complex_tile,
)
from octflow.io.records import product, read_record
from octflow.stages.convert import VERSION
from octflow.stages.convert.reconstruct import complex_tile, saturated_count, spectral_phasor
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.convert.wavenumber import (
    Resampling,
    WavelengthMap,
    common_wavenumbers,
    resampling,
    reversed_resampling,
)


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
    kind: RawKind
    n_x: int
    n_y: int
    tables: tuple[Resampling, Resampling]
    phasor: NDArray[np.complex64]
    voxel_size_mm: tuple[float, float, float]
    settings: ConvertSettings
    folder: Path
    signature: str


def convert_batch(
    *,
    started: Path,
    folder: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
    threads: int,
) -> Outcome:
    """Turn the raw tiles of a batch into complex tiles; link those delivered as complex.

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
        Window, saturation, failures accepted.
    threads : int
        Tiles worked on side by side; each holds its raw and its complex tile in memory.

    Returns
    -------
    outcome : Outcome
        Outputs of the role "complex", one per tile that did not fail.

    Raises
    ------
    DataError
        The dispersion file cannot be used.
    TooManyFailuresError
        More tiles failed than accepted.
    """
    record = read_record(started)
    plan = _plan(record, folder, illumination, instrument, settings)
    work = _link_tile if plan.kind == "complex" else _convert_tile
    result = work_through(
        [TileJob(p.tile, p) for p in record.inputs if p.role == "raw" and p.tile is not None],
        lambda job: work(job, plan),
        records=folder / "records",
        signature=plan.signature,
        threads=threads,
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    return _outcome(result, record, instrument)


def _plan(
    record: Record,
    folder: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
) -> _Plan:
    dispersion_rad = _read_dispersion(instrument)
    first, second = (WavelengthMap(c.slope_nm, c.offset_nm) for c in instrument.cameras)
    wavenumber = common_wavenumbers(first, second, N_SPECTRAL)
    return _Plan(
        mosaic=record.unit.mosaic or 0,
        kind=used_kind(record.parameters["acquisition"]["format"]),
        n_x=illumination.tile_size_x_px,
        n_y=illumination.tile_size_y_px,
        tables=(
            resampling(first, wavenumber),
            reversed_resampling(resampling(second, wavenumber)),
        ),
        phasor=spectral_phasor(N_SPECTRAL, dispersion_rad=dispersion_rad, window=settings.window),
        voxel_size_mm=instrument.voxel_size_mm,
        settings=settings,
        folder=folder,
        signature=_signature(record, illumination, instrument, settings),
    )


def _signature(
    record: Record,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
) -> str:
    """Digest what decides a complex tile, besides the raw tile."""
    return content_id(
        {
            "version": VERSION,
            "format": record.parameters["acquisition"]["format"],
            "mosaic": record.unit.mosaic,
            "tile_size_px": [illumination.tile_size_x_px, illumination.tile_size_y_px],
            "cameras": [camera.plain() for camera in instrument.cameras],
            "voxel_size_mm": instrument.voxel_size_mm,
            "dispersion": fast_id(Path(instrument.dispersion_file))
            if instrument.dispersion_file
            else None,
            "settings": settings.model_dump(mode="json", exclude={"max_failed_tiles"}),
        }
    )


def _read_dispersion(instrument: Instrument) -> NDArray[np.float64] | None:
    if instrument.dispersion_file is None:
        return None
    path = Path(instrument.dispersion_file)
    expected = f"{N_SPECTRAL} or {2 * N_SPECTRAL} finite float64 values"
    if not path.is_file():
        raise DataError(path, found="no file", expected=expected)
    content = read_raw_bytes(path)
    if content.size not in {8 * N_SPECTRAL, 16 * N_SPECTRAL}:
        found = f"{content.size} bytes, which are {content.size / 8:g} values"
        raise DataError(path, found=found, expected=expected)
    phases_rad = content.view("<f8")
    if not np.isfinite(phases_rad).all():
        raise DataError(path, found="NaN or infinite phases", expected=expected)
    return phases_rad


def _convert_tile(job: TileJob, plan: _Plan) -> TileRecord:
    path = Path(job.source.path)
    check_raw_size(path, plan.kind, plan.n_x, plan.n_y)
    content = read_raw_bytes(path)
    raw = job.source.model_copy(update={"id": raw_id(content.data)})
    spectra = spectra_of(content, plan.kind, plan.n_x, plan.n_y)
    _check_signal(path, spectra)
    saturated = saturated_count(spectra, plan.settings.full_scale_counts) / spectra.size
    jones = complex_tile(spectra, plan.tables, plan.phasor)
    del content, spectra  # 1 GB, not needed while writing
    written = plan.folder / tile_name(plan.mosaic, job.tile, "complex")
    write_complex_tile(written, jones, voxel_size_mm=plan.voxel_size_mm)
    bound = plan.settings.max_saturated_fraction
    verdict = "pass" if saturated <= bound else "warn"
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=[raw],
        outputs=[product(written, "complex", job.tile)],
        qc={"saturated_fraction": saturated},
        gates=[Gate(name="saturated_fraction", verdict=verdict, value=saturated, bound=bound)],
    )


def _check_signal(path: Path, spectra: NDArray[np.uint16]) -> None:
    """Refuse a tile without signal; where there is one, the first B-line shows it."""
    first = spectra[0, 0, 0, 0]
    if all((line == first).all() for line in spectra):
        raise DataError(path, found=f"all samples {first}", expected="interference fringes")


def _link_tile(job: TileJob, plan: _Plan) -> TileRecord:
    path = Path(job.source.path)
    check_raw_size(path, plan.kind, plan.n_x, plan.n_y)
    raw = job.source.model_copy(update={"id": raw_id(read_raw_bytes(path).data)})
    jones = read_complex_tile(path, plan.n_x, plan.n_y)
    if bad := jones.size - sum(int(np.count_nonzero(np.isfinite(plane))) for plane in jones):
        raise DataError(path, found=f"{bad} NaN or infinite samples", expected="finite samples")
    link = plan.folder / tile_name(plan.mosaic, job.tile, "complex")
    _link(link, path)
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=[raw],
        outputs=[product(link, "complex", job.tile)],
    )


def _link(link: Path, path: Path) -> None:
    """Link atomically to a delivered file, which is never opened for writing."""
    link.parent.mkdir(parents=True, exist_ok=True)
    part = link.with_name(f".part-{link.name}")
    part.unlink(missing_ok=True)
    part.symlink_to(path.resolve())
    part.replace(link)


def _outcome(result: BatchResult, record: Record, instrument: Instrument) -> Outcome:
    dispersion = [Path(instrument.dispersion_file)] if instrument.dispersion_file else []
    missing: list[TileFailure] = record.tiles.missing if record.tiles else []
    warned = [r for r in result.done if any(g.verdict != "pass" for g in r.gates)]
    return Outcome(
        inputs=[*result.inputs, *(product(path, "dispersion") for path in dispersion)],
        outputs=result.outputs,
        tiles=Tiles(ok=[r.tile for r in result.done], failed=result.failed, missing=missing),
        qc={
            "tiles_converted": len(result.done),
            "tiles_failed": len(result.failed),
            "saturated_fraction": max(
                (r.qc["saturated_fraction"] for r in result.done if r.qc), default=None
            ),
        },
        warnings=[
            f"tile {r.tile}: {r.qc['saturated_fraction']:.3%} of the samples saturated"
            for r in warned
        ],
    )
