"""Volumes of the illuminations of a slice, file to file."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import AXIAL, VOLUMES
from octflow.core.record import Outcome, Product
from octflow.io.picture import Panel, write_sheet
from octflow.io.records import checked, listed, product, read_record
from octflow.io.volume_writer import BlockOf
from octflow.stages.register.cuts import inclination_panels, overlay_panels, shown_level
from octflow.stages.register.local import depth_window
from octflow.stages.register.oblique import Beams, Depths, voxel_affine
from octflow.stages.register.probes import measured_depths, measured_noise
from octflow.stages.register.sampling import Block, Source, sampled_block
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.register.slice_volumes import SliceVolumes, volumes_of
from octflow.stages.register.solid import Quantity, Solid, SolidView, quantity_of
from octflow.stages.register.together import Shared

Qc = dict[str, float | int | str | None]


class _Placed(NamedTuple):
    """A moving view in the volume of the fixed one."""

    name: str
    matrix: NDArray[np.float64]
    rotation_deg: float
    depths: Depths


def register_volumes(  # noqa: PLR0913 - the keywords are the names in the rule
    *,
    registered: Path,
    joined: list[Path],
    overview: Path,
    folder: Path,
    illuminations: list[Illumination],
    slice_id: int,
    maps_depth_px: float,
    instrument: Instrument,
    settings: RegisterSettings,
    threads: int,
) -> Outcome:
    """Bring the volumes of a slice's illuminations together, and find the fibres of every voxel.

    Parameters
    ----------
    registered : Path
        Flag of `register_slice`, which lists the affines.
    joined : list of Path
        Flags of `join_volumes`, one per illumination of the slice.
    overview : Path
        Sheet of pictures.
    folder : Path
        Where the products go, named slice-<slice>_...
    illuminations : list of Illumination
        The table: tilts by name.
    slice_id : int
        Slice, from 1.
    maps_depth_px : float
        Depth below the surface that the registered maps show, on average.
    instrument : Instrument
        Wavelength and voxel size.
    settings : RegisterSettings
        See there.
    threads : int
        Shards worked on side by side.

    Returns
    -------
    outcome : Outcome
        Of what is not there, a warning says it; the rest is made.
    """
    affine = json.loads(checked(listed(read_record(registered), "affine")[0]).read_text())
    tilts = {row.name: row.tilt_deg for row in illuminations}
    volumes = volumes_of(joined)
    one = SliceVolumes(
        slice_id, folder, affine["fixed"], tilts, volumes, instrument, settings, threads
    )
    probes = one.probes() if "dBI" in volumes.get(one.fixed, {}) else []
    placed, warnings = _placed(one, affine["moving"], probes, maps_depth_px)
    outputs, lost = _write_views(one, placed)
    fibres, qc, doubts = _write_fibres(one, placed, probes)
    panels = [panel for view in placed for panel in _overlay(one, view)]
    panels += [
        p for o in fibres if o.role == "inclination" for p in inclination_panels(Path(o.path))
    ]
    nothing = Panel("no volume is registered", np.zeros((8, 8), np.float32))
    write_sheet(overview, panels or [nothing], title=f"Slice {slice_id}: volumes")
    return Outcome(
        inputs=[p for found in volumes.values() for p in found.values()],
        outputs=[*outputs, *fibres, product(overview, "overview")],
        qc={"fixed": one.fixed, "views": len(placed) + 1} | _depth_qc(placed) | qc,
        warnings=[f"slice {slice_id}: {said}" for said in (*warnings, *lost, *doubts)],
    )


def _placed(
    one: SliceVolumes, moving: list[dict[str, Any]], probes: list[Block], maps_depth_px: float
) -> tuple[list[_Placed], list[str]]:
    """Find where the volume of every moving view lies; say of which that cannot be told."""
    placed: list[_Placed] = []
    warnings = [] if moving else ["no second view is registered, so no volume is"]
    for view in moving:
        name = str(view["illumination"])
        if lost := [n for n in (one.fixed, name) if "dBI" not in one.volumes.get(n, {})]:
            warnings.append(f"no volume dBI of {' and '.join(lost)}, so none of {name} is placed")
            continue
        try:
            placed.append(_place(one, view, probes, maps_depth_px))
        except EstimateError as error:
            warnings.append(f"volumes of {name} are not placed: {error}")
            continue
        if not view["trusted"]:
            warnings.append(f"volumes of {name} lie where the guess from its tilt puts them")
    return placed, warnings


def _place(
    one: SliceVolumes, view: Mapping[str, Any], probes: list[Block], maps_depth_px: float
) -> _Placed:
    name, affine = str(view["illumination"]), np.array(view["matrix"])
    x_mm, _, z_mm = one.instrument.voxel_size_mm
    beams = partial(
        Beams,
        fixed_tilt_deg=one.tilts[one.fixed],
        moving_tilt_deg=one.tilts[name],
        samples_per_px=z_mm / x_mm,
        shear=one.settings.in_depth.shear,
    )
    sources = (one.source(one.fixed, "dBI"), one.source(name, "dBI"))
    depths = measured_depths(*sources, affine, beams().depth_ratio, probes)
    found = beams(affine_depth_px=depths.surface_px + maps_depth_px, depth_shift_px=depths.shift_px)
    rotation_deg = float(view["found"]["rotation_deg"]) if view["trusted"] else 0.0
    return _Placed(name, voxel_affine(affine, found), rotation_deg, depths)


def _write_views(one: SliceVolumes, placed: list[_Placed]) -> tuple[list[Product], list[str]]:
    """Write the volumes of the moving views on the voxels of the fixed one."""
    outputs, warnings = [], []
    for view in placed:
        for modality in one.settings.volumes:
            if modality not in one.volumes[view.name]:
                warnings.append(f"no volume {modality} of {view.name}")
                continue
            turn_deg = view.rotation_deg if modality in AXIAL else None
            block_of = _moved(one.source(view.name, modality), view.matrix, turn_deg)
            made_from = {"matrix": view.matrix.tolist(), "turn_deg": turn_deg}
            name = f"{modality}_{view.name}"
            outputs.append(one.write(name, block_of, made_from=made_from, axial=modality in AXIAL))
    return outputs, warnings


def _moved(source: Source, matrix: NDArray[np.float64], turn_deg: float | None) -> BlockOf:
    def block(z: slice, y: slice, x: slice) -> NDArray[np.float32]:
        return sampled_block(source, (z, y, x), matrix, turn_deg=turn_deg)

    return block


def _write_fibres(
    one: SliceVolumes, placed: list[_Placed], probes: list[Block]
) -> tuple[list[Product], Qc, list[str]]:
    """Write inclination, azimuth and birefringence of every voxel."""
    if not one.settings.inclination or not placed:
        return [], {}, []
    names = [one.fixed, *(view.name for view in placed)]
    complete = [name for name in names if set(VOLUMES) <= set(one.volumes[name])]
    warnings = [
        f"no fibres from {name}: found {', '.join(one.volumes[name])}, expected"
        f" {', '.join(VOLUMES)}"
        for name in names
        if name not in complete
    ]
    if one.fixed not in complete or len(complete) < 2:
        return [], {}, [*warnings, "no fibres of voxels, which take two views"]
    solid = _solid(one, [view for view in placed if view.name in complete])
    noise = measured_noise(solid, probes)
    known = replace(solid, noise=noise)
    made_from = {
        "matrices": [view.matrix.tolist() for view in placed if view.name in complete],
        "weights": list(solid.weights),
        "noise": noise,
    }
    # Solved once for all three volumes, which are written side by side.
    shared = Shared(known.block, kept=one.threads + 1)

    def write(quantity: Quantity) -> Product:
        def block(z: slice, y: slice, x: slice) -> NDArray[np.float32]:
            return quantity_of(quantity, shared(z, y, x))

        return one.write(quantity, block, made_from=made_from, axial=quantity == "azimuth")

    with ThreadPoolExecutor(len(get_args(Quantity))) as pool:
        outputs = list(pool.map(write, get_args(Quantity)))
    return outputs, {"noise_root_dn": noise, "lag_px": solid.window.lag_px}, warnings


def _solid(one: SliceVolumes, placed: list[_Placed]) -> Solid:
    options = one.settings.in_depth

    def contrasts(name: str) -> tuple[Source, Source, Source]:
        return one.source(name, "dBI"), one.source(name, "R3D"), one.source(name, "O3D")

    fixed = SolidView(one.tilts[one.fixed], contrasts(one.fixed))
    moving = [
        SolidView(one.tilts[v.name], contrasts(v.name), v.matrix, v.rotation_deg) for v in placed
    ]
    return Solid(
        [fixed, *moving],
        [one.settings.view_weights.get(n, 1.0) for n in (one.fixed, *(v.name for v in placed))],
        depth_window(
            options.window_px,
            largest_dn=options.largest_dn,
            smoothing_px=options.smoothing_px,
            wavelength_um=one.instrument.wavelength_um,
            step_um=one.instrument.voxel_z_um,
        ),
        options.min_coherence,
    )


def _overlay(one: SliceVolumes, view: _Placed) -> list[Panel]:
    level = shown_level(one.path_of(one.fixed, "dBI"))
    sources = (one.source(one.fixed, "dBI", level), one.source(view.name, "dBI", level))
    return overlay_panels(view.name, *sources, view.matrix, level)


def _depth_qc(placed: list[_Placed]) -> Qc:
    qc: Qc = {}
    for view in placed:
        qc |= {
            f"{view.name}_depth_shift_px": view.depths.shift_px,
            f"{view.name}_surface_residual_px": view.depths.residual_px,
        }
    return qc
