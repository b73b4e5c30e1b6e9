"""Stage register, file to file."""

from pathlib import Path

import numpy as np

from octflow.core.axial import wrap_axis
from octflow.core.backend import PLAIN_MATLAB, MatlabSettings
from octflow.core.errors import DataError, EstimateError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Outcome, Product, Record
from octflow.io.nifti import read_nifti, read_voxel_size_mm
from octflow.io.records import checked, listed, product, read_record
from octflow.stages.register.elsewhere import solve_elsewhere
from octflow.stages.register.fibres import View
from octflow.stages.register.masks import compared_map, mask_of, masking_roles
from octflow.stages.register.placing import Placed, Search, place
from octflow.stages.register.products import (
    Target,
    write_affine,
    write_field,
    write_overview,
    write_view,
)
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.register.solved import Solved, solve_here
from octflow.stages.register.told import qc_of, warnings_of
from octflow.stages.register.volumes import register_volumes

__all__ = ["register_slice", "register_volumes"]


def register_slice(  # noqa: PLR0913 - the keywords are the names in the rule
    *,
    stitched: list[Path],
    overview: Path,
    folder: Path,
    illuminations: list[Illumination],
    slice_id: int,
    instrument: Instrument,
    settings: RegisterSettings,
    matlab: MatlabSettings = PLAIN_MATLAB,
    threads: int = 1,
) -> Outcome:
    """Register the illuminations of a slice and solve for its 3-D fibre axes.

    Parameters
    ----------
    stitched : list of Path
        Flags of `stitch_enface`, one per illumination of the slice that there is.
    overview : Path
        Sheet of pictures.
    folder : Path
        Where the products go, named slice-<slice>_...
    illuminations : list of Illumination
        The table: tilts by name.
    slice_id : int
        Slice, from 1.
    instrument : Instrument
        Voxel size of the products.
    settings : RegisterSettings
        See there.
    matlab : MatlabSettings
        How the backend is run, where it is not Python.
    threads : int
        Blocks of lines whose axes are solved for at a time; the registration works on one.

    Returns
    -------
    outcome : Outcome
        With one usable illumination only: its in-plane products and a warning. Without tissue in
        any: the same, without a valid pixel, so that the other slices are stacked.

    Raises
    ------
    EstimateError
        There is no illumination of the slice, or all tilts are alike.
    TileError
        The backend did not do its work.
    SettingsError
        There is no such program as the backend's.
    """
    records = _in_table_order([read_record(flag) for flag in stitched], illuminations)
    read = [p for record in records for p in _read_products(record, settings)]
    views = [_view(record, illuminations, settings) for record in records]
    if not views:
        raise EstimateError(f"slice {slice_id}: found no illumination of it, expected at least one")
    usable = _straight_first([view for view in views if view.valid.any()])
    fixed = [*usable, *_straight_first(views)][0]
    target = Target(folder, slice_id, _voxel_size_mm(records, fixed, instrument))
    placed = [_placed(fixed, moving, settings) for moving in usable[1:]]
    solved = _solved([fixed, *usable[1:]], placed, target, settings, matlab, threads)
    outputs = _write(target, overview, solved, placed, settings)
    return Outcome(
        inputs=read,
        outputs=outputs,
        qc={"views": len(usable)} | qc_of(solved, placed),
        gates=[gate for one in placed for gate in one.gates],
        warnings=warnings_of(slice_id, illuminations, usable, placed),
        backend=solved.program,
    )


def _in_table_order(records: list[Record], table: list[Illumination]) -> list[Record]:
    names = [row.name for row in table]
    return sorted(records, key=lambda record: names.index(str(record.unit.illumination)))


def _straight_first(views: list[View]) -> list[View]:
    """Put the first view without tilt first: the others are brought onto its pixels."""
    straight = [view for view in views if view.tilt_deg == 0][:1]
    return straight + [view for view in views if not any(view is s for s in straight)]


def _roles(settings: RegisterSettings) -> list[str]:
    """Return the maps that are read of every illumination."""
    return list(dict.fromkeys((settings.image, "biref", "ori", *masking_roles(settings.mask))))


def _read_products(record: Record, settings: RegisterSettings) -> list[Product]:
    return [p for role in _roles(settings) for p in listed(record, role)]


def _view(record: Record, table: list[Illumination], settings: RegisterSettings) -> View:
    row = next(row for row in table if row.name == record.unit.illumination)
    maps = {p.role: read_nifti(checked(p)) for p in _read_products(record, settings)}
    if lost := set(_roles(settings)) - set(maps):
        found = f"{', '.join(sorted(maps)) or 'no map'} of {row.name}"
        raise DataError("stitched maps", found=found, expected=f"also {', '.join(sorted(lost))}")
    mask = mask_of(
        settings.mask,
        maps,
        settings.mask_threshold_db.get(row.name, row.mask_threshold_db),
        sigma_px=settings.mask_smoothing_px,
    )
    finite = np.isfinite(maps["biref"]) & np.isfinite(maps["ori"])
    return View(
        name=row.name,
        tilt_deg=row.tilt_deg,
        image=compared_map(settings.mask, np.asarray(maps[settings.image], np.float32), mask),
        birefringence=np.asarray(maps["biref"], np.float32),
        # The instrument counts its axes the other way round than the image does.
        axis_deg=wrap_axis(-np.asarray(maps["ori"], np.float32)),
        valid=finite & mask,
    )


def _voxel_size_mm(
    records: list[Record], fixed: View, instrument: Instrument
) -> tuple[float, float, float]:
    """Take the pixel size from the fixed maps; a map of axes has no depth step but its plane's."""
    record = next(r for r in records if r.unit.illumination == fixed.name)
    maps = listed(record, "biref")
    return read_voxel_size_mm(checked(maps[0])) if maps else instrument.voxel_size_mm


def _placed(fixed: View, moving: View, settings: RegisterSettings) -> Placed:
    search = Search(
        smoothing_px=settings.smoothing_px,
        bins=settings.bins,
        levels=settings.levels,
        iterations=settings.iterations,
        largest_level_px=settings.largest_level_px,
    )
    return place(fixed, moving, search, dict(settings.gates))


def _solved(
    views: list[View],
    placed: list[Placed],
    target: Target,
    settings: RegisterSettings,
    matlab: MatlabSettings,
    threads: int,
) -> Solved:
    """Average and solve here, or elsewhere; one view alone, of which there is no axis, here."""
    if settings.backend == "python" or not placed:
        return solve_here([views[0], *(one.view for one in placed)], settings, threads)
    return solve_elsewhere(views, placed, target, settings, matlab, threads=threads)


def _write(
    target: Target,
    overview: Path,
    solved: Solved,
    placed: list[Placed],
    settings: RegisterSettings,
) -> list[Product]:
    seen, field = solved.views, solved.field
    if field is None:
        outputs = write_view(target, seen[0], settings.colour_window_dn)
    else:
        outputs = write_field(target, field, seen, settings.colour_window_dn)
    outputs.append(write_affine(target, seen[0], placed))
    title = f"Slice {target.slice_id}: {' and '.join(view.name for view in seen)}"
    write_overview(overview, title, seen, placed, field)
    return [*outputs, product(overview, "overview")]
