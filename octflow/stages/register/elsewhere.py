"""3-D fibre axes that another program computes, with the functions of the folder `matlab`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octflow.core.backend import MatlabSettings
from octflow.core.errors import TileError
from octflow.io.matlab_job import MatlabBatch, MatlabTile, read_made, run_batch, work_folder
from octflow.io.nifti import write_nifti
from octflow.stages.register.axis3d import check_tilts
from octflow.stages.register.fibres import FibreField, Floats, View
from octflow.stages.register.placing import Placed
from octflow.stages.register.products import Target
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.register.solved import Solved, weights_of

_SOLVED = ("azimuth", "inclination", "dn", "misfit", "uncertainty", "uncertainty_inclination")
_ASKED = {
    *("axis_smoothing", "axis_smoothing_px", "axis_smoothing_radius_px"),
    *("axis_goal_deg", "axis_noise_root_dn"),
}
"""Settings that the functions are told."""


def solve_elsewhere(
    views: Sequence[View],
    placed: Sequence[Placed],
    target: Target,
    settings: RegisterSettings,
    matlab: MatlabSettings,
    *,
    threads: int,
) -> Solved:
    """Let the backend bring views onto the same pixels, average them, and solve for the fibres.

    Parameters
    ----------
    views : sequence of View
        As they were measured, the fixed one first.
    placed : sequence of Placed
        Where the others lie.
    target : Target
        Slice, and the folder of its products, in which a hidden one holds what is exchanged.
    settings : RegisterSettings
        Backend, and how views are averaged and weighted.
    matlab : MatlabSettings
        How it is run.
    threads : int
        What the program may use.

    Returns
    -------
    solved : Solved
        Of files that are what they must be.

    Raises
    ------
    EstimateError
        All tilts are alike.
    TileError
        The program did not do its work; of the kind that the report, or its end, tells.
    SettingsError
        There is no such program.
    """
    check_tilts([view.tilt_deg for view in views])
    with work_folder(target.folder, f"slice-{target.slice_id:03d}") as work:
        told = _told(views, placed, weights_of(views, settings), target, work)
        batch = run_batch(
            "register",
            [_unit(told, target.slice_id, work)],
            {
                "voxel_mm": target.voxel_size_mm,
                "settings": settings.model_dump(mode="json", include=_ASKED),
            },
            backend=settings.backend,
            settings=matlab,
            digest=settings.backend_id,
            work=work,
            threads=threads,
        )
        return _solved(batch, target.slice_id, [views[0], *(one.view for one in placed)])


def _told(
    views: Sequence[View],
    placed: Sequence[Placed],
    weights: list[float],
    target: Target,
    work: Path,
) -> list[dict[str, Any]]:
    """Write the maps of the views, and tell where and how they lie."""
    ways = [(np.eye(2, 3), 0.0), *((one.alignment.matrix, one.turn_deg) for one in placed)]
    told = []
    for k, (view, weight, (matrix, turn_deg)) in enumerate(
        zip(views, weights, ways, strict=True), start=1
    ):
        paths = {"delta_n": work / f"view-{k}-dn.nii", "axis": work / f"view-{k}-axis.nii"}
        for path, image in zip(paths.values(), (view.birefringence, view.axis_deg), strict=True):
            seen = np.where(view.valid, image, np.float32(np.nan)).astype(np.float32)
            write_nifti(path, seen, voxel_size_mm=target.voxel_size_mm)
        told.append(
            {name: str(path) for name, path in paths.items()}
            | {"tilt_deg": view.tilt_deg, "weight": weight}
            | {"matrix": matrix.tolist(), "turn_deg": turn_deg}
        )
    return told


def _unit(told: list[dict[str, Any]], slice_id: int, work: Path) -> MatlabTile:
    seen = [f"seen_{what}_{k}" for k in range(1, len(told) + 1) for what in ("dn", "axis")]
    outputs = {name: work / f"{name}.nii" for name in (*_SOLVED, *seen)}
    return MatlabTile(slice_id, Path(told[0]["delta_n"]), outputs, {"views": told})


def _solved(batch: MatlabBatch, slice_id: int, views: list[View]) -> Solved:
    """Read what the backend made, on the pixels of the first of the views."""
    made, shape = batch.of(slice_id), views[0].valid.shape
    maps = {name: np.array(read_made(path, shape)) for name, path in made.outputs.items()}
    valid = np.isfinite(maps["dn"])
    for name in _SOLVED:
        _check(made.outputs[name], maps[name], valid)
    return Solved(
        [_seen(view, maps, k) for k, view in enumerate(views, start=1)],
        FibreField(
            axis=_vectors(maps["azimuth"], maps["inclination"], valid),
            birefringence=maps["dn"],
            valid=valid,
            misfit=maps["misfit"],
            noise=batch.measured(slice_id, "noise_root_dn"),
            uncertainty_deg=maps["uncertainty"],
            inclination_uncertainty_deg=maps["uncertainty_inclination"],
        ),
        batch.verdicts[slice_id].measured.get("averaged_pixels"),
        batch.program,
    )


def _check(path: Path, found: Floats, valid: NDArray[np.bool_]) -> None:
    """Refuse a map that holds other values, or values elsewhere, than fibres have."""
    if not np.array_equal(np.isnan(found), ~valid):
        raise TileError(
            f"{path}: found {np.isnan(found).sum()} pixels without value,"
            f" expected the {(~valid).sum()} that have no dn",
            kind="code",
        )
    if np.isinf(found).any():
        raise TileError(f"{path}: found infinite values, expected none", kind="code")


def _seen(view: View, maps: dict[str, Floats], k: int) -> View:
    dn, axis_deg = maps[f"seen_dn_{k}"], maps[f"seen_axis_{k}"]
    valid = np.isfinite(dn) & np.isfinite(axis_deg)
    return replace(
        view,
        birefringence=np.where(valid, dn, 0),
        axis_deg=np.where(valid, axis_deg, 0),
        valid=valid,
    )


def _vectors(azimuth_deg: Floats, inclination_deg: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return unit vectors (3, Y, X) of float32, 0 where there is no axis.

    Examples
    --------
    >>> _vectors(np.float32([90]), np.float32([-30]), np.array([True])).round(3).T.tolist()
    [[0.0, 0.8659999966621399, -0.5]]
    """
    azimuth, inclination = (
        np.deg2rad(np.where(valid, angle, 0), dtype=np.float64)
        for angle in (azimuth_deg, inclination_deg)
    )
    flat = np.cos(inclination)
    vectors = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(inclination)])
    return np.where(valid, vectors, 0).astype(np.float32)
