"""One function per rule of the stage process."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import Gate, Outcome, Product, Record, TileFailure, Tiles
from octflow.io.batch import BatchResult, TileJob, TileRecord, accept, work_through
from octflow.io.digest import content_id
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.picture import Panel, write_sheet
from octflow.io.raw import read_complex_tile
from octflow.io.records import checked, listed, product, read_record
from octflow.stages.process import VERSION
from octflow.stages.process.contrast import contrasts
from octflow.stages.process.products import (
    Window,
    enface_maps,
    judge_tile,
    noise_floor_db,
    surface_by,
)
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.process.sheet import tile_picture

_TITLE_CHARACTERS = 48


@dataclass(frozen=True)
class _Plan:
    """What all tiles of a batch have in common."""

    mosaic: int
    n_x: int
    n_y: int
    instrument: Instrument
    settings: ProcessSettings
    folder: Path
    signature: str


def process_batch(
    *,
    converted: Path,
    folder: Path,
    overview: Path,
    illumination: Illumination,
    instrument: Instrument,
    settings: ProcessSettings,
    threads: int,
) -> Outcome:
    """Turn the complex tiles of a batch into volumes, maps and a contact sheet.

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
    threads : int
        Tiles worked on side by side.

    Returns
    -------
    outcome : Outcome
        Outputs with their modality as role; `surfraw` is the surface before its median filter.

    Raises
    ------
    TooManyFailuresError
        More tiles failed than accepted.
    """
    record = read_record(converted)
    plan = _Plan(
        mosaic=record.unit.mosaic or 0,
        n_x=illumination.tile_size_x_px,
        n_y=illumination.tile_size_y_px,
        instrument=instrument,
        settings=settings,
        folder=folder,
        signature=_signature(record, illumination, instrument, settings),
    )
    result = work_through(
        [TileJob(p.tile, p) for p in listed(record, "complex") if p.tile is not None],
        lambda job: _process_tile(job, plan),
        records=folder / "records",
        signature=plan.signature,
        threads=threads,
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    outcome = _outcome(result, record)
    _write_overview(overview, result, outcome, record)
    outcome.outputs.append(product(overview, "overview"))
    return outcome


def _signature(
    record: Record, illumination: Illumination, instrument: Instrument, settings: ProcessSettings
) -> str:
    """Digest what decides the products of a tile, besides the complex tile."""
    return content_id(
        {
            "version": VERSION,
            "mosaic": record.unit.mosaic,
            "tile_size_px": [illumination.tile_size_x_px, illumination.tile_size_y_px],
            "wavelength_um": instrument.wavelength_um,
            "voxel_size_mm": instrument.voxel_size_mm,
            "settings": settings.model_dump(mode="json", exclude={"max_failed_tiles"}),
        }
    )


def _process_tile(job: TileJob, plan: _Plan) -> TileRecord:
    settings, instrument = plan.settings, plan.instrument
    path = checked(job.source, digest=True)
    volumes = contrasts(
        read_complex_tile(path, plan.n_x, plan.n_y),
        phase_offset_deg=settings.phase_offset_deg,
        flip_phase=settings.flip_phase,
    )
    noise_db = noise_floor_db(volumes.intensity_db)
    _check_noise(path, noise_db, settings.max_noise_floor_db)
    surface = surface_by(settings.surface, volumes.intensity_db, settings.surface_threshold_db)
    window = Window(
        offset_px=settings.enface_offset_px,
        depth_px=settings.enface_depth_px,
        wavelength_um=instrument.wavelength_um,
        voxel_z_um=instrument.voxel_z_um,
    )
    maps = enface_maps(volumes, surface, window, with_scattering=settings.scattering)
    qc = judge_tile(maps, surface, noise_db=noise_db, min_step_db=settings.min_surface_step_db)
    named = dict(zip(("dBI", "R3D", "O3D"), volumes, strict=True)) | maps
    return TileRecord(
        tile=job.tile,
        source=job.source.id,
        signature=plan.signature,
        inputs=[job.source],
        outputs=_write_products(job.tile, named, plan),
        qc=qc,
        gates=_gates(qc, settings),
    )


def _check_noise(path: Path, noise_db: float, max_noise_db: float) -> None:
    if not noise_db < max_noise_db:
        raise DataError(
            path,
            found=f"a noise floor of {noise_db:.1f} dB",
            expected=f"below {max_noise_db:g} dB: the tile holds noise, or is saturated",
        )


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
        depth_mm = z_mm if arrays[role].ndim == 3 else window_mm
        write_nifti(path, arrays[role], voxel_size_mm=(x_mm, y_mm, depth_mm))
        written.append(product(path, role, tile))
    return written


def _gates(qc: Mapping[str, float], settings: ProcessSettings) -> list[Gate]:
    bounds = {
        "surface_found_fraction": settings.min_surface_found_fraction,
        "snr_db": settings.min_snr_db,
    }
    return [
        Gate(
            name=name,
            verdict="pass" if qc[name] >= bound else "warn",
            value=qc[name],
            bound=bound,
        )
        for name, bound in bounds.items()
        if name in qc
    ]


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
            "surface_found_fraction_median": _median(result, "surface_found_fraction"),
        },
        warnings=[f"tile {t}: {g.name} is {g.value:.3g}, expected {g.bound:g}" for t, g in warned],
    )


def _median(result: BatchResult, name: str) -> float | None:
    values = [r.qc[name] for r in result.done if name in r.qc]
    return float(np.median(values)) if values else None


def _write_overview(overview: Path, result: BatchResult, outcome: Outcome, record: Record) -> None:
    """Show every tile of the batch, and the reason where there is none."""
    panels = {r.tile: _panel(r) for r in result.done}
    if outcome.tiles is not None:
        panels |= {f.tile: _empty(f, "failed") for f in outcome.tiles.failed}
        panels |= {f.tile: _empty(f, "missing") for f in outcome.tiles.missing}
    unit = record.unit
    title = (
        f"mosaic {unit.mosaic}, batch {unit.batch}: "
        "intensity (50 to 80 dB), surface; axis (-90 to 90°), middle B-line with surface"
    )
    nothing = Panel("no tiles", np.zeros((2, 2, 3), np.uint8))
    shown = [panels[tile] for tile in sorted(panels)] or [nothing]
    write_sheet(overview, shown, title=title, across=4)


def _panel(record: TileRecord) -> Panel:
    paths = {p.role: Path(p.path) for p in record.outputs}
    arrays = {role: read_nifti(paths[role]) for role in ("aip", "ori", "dBI") if role in paths}
    surface_px = read_nifti(paths["surf"])
    volume = arrays.get("dBI")
    picture = tile_picture(
        aip=arrays.get("aip"),
        surface_px=surface_px,
        ori=arrays.get("ori"),
        b_scan_db=None if volume is None else volume[:, len(surface_px) // 2],
    )
    return Panel(f"tile {record.tile}: SNR {record.qc['snr_db']:.0f} dB", picture)


def _empty(failure: TileFailure, word: str) -> Panel:
    text = f"tile {failure.tile} {word}: {failure.reason}"
    return Panel(textwrap.fill(text, _TITLE_CHARACTERS), np.full((2, 2, 3), 40, np.uint8))
