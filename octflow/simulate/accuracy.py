"""How well a finished run found what was simulated."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octflow.core.axial import axis_difference
from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.core.names import mosaic_name
from octflow.core.record import Product, Record
from octflow.io.nifti import read_nifti
from octflow.io.omezarr import read_volume
from octflow.io.records import checked, listed, read_record
from octflow.io.tilemap import read_tilemap
from octflow.simulate.axes import angles_deg, unit_axes, voxel_errors
from octflow.simulate.settings import Simulation

Floats = NDArray[np.float64]

BUNDLE_DN = 7e-4
"""Birefringence from which tissue counts as a bundle."""
SIGNAL_DN = 2e-4
"""Birefringence from which axes count: there, speckle noise turns an axis by a degree or so."""
TISSUE_FRACTION = 0.1
"""Tissue a tile must hold to be placed by what it shows; others follow the fitted lattice."""

_ANGLES = {"axis", "azimuth", "inclination"}


@dataclass(frozen=True)
class Row:
    """One number of the accuracy table."""

    name: str
    """What was compared with the truth."""
    value: float
    """The error; NaN where there was nothing to compare."""
    bound: float
    """What it must not exceed."""
    unit: str
    """Unit of both."""
    limit: str
    """What limits it."""

    @property
    def passed(self) -> bool:
        """Whether the error keeps to its bound."""
        return self.value <= self.bound


def accuracy_table(project: Path, truth: Path) -> list[Row]:
    """Compare the products of a finished run with the truth of its simulation.

    Stitched maps lie in the frame of the tile coordinates that were found, which differs from the
    true one by a common offset: it is taken out.

    Parameters
    ----------
    project : Path
        Project folder, with all flags.
    truth : Path
        Folder of the truth, as written by the simulation.

    Returns
    -------
    rows : list of Row
        For every illumination surface, birefringence, axis, tile positions and focus plane;
        then the 3-D axis; and that of voxels, where volumes are registered.

    Raises
    ------
    DataError
        A flag, or a file that it lists, is not there.
    """
    run = _Run(project, truth)
    rows = [row for name in run.illuminations for row in _rows_of(run, name)]
    return [*rows, _axis3d_row(run), *_voxel_rows(run)]


class _Run:
    """Products and truth of one run, by what they show."""

    def __init__(self, project: Path, truth: Path) -> None:
        self.project, self.truth = project, truth
        text = (truth / "simulation.json").read_text()
        self.simulation = Simulation.model_validate_json(text)
        self.experiment = self.simulation.experiment
        self.illuminations = [row.name for row in self.experiment.illuminations]
        self.offset_px = cache(self._offset_px)

    def mosaics_of(self, illumination: str) -> list[int]:
        slices = range(1, self.simulation.n_slices + 1)
        return [self.experiment.mosaic_of(s, illumination) for s in slices]

    def record(self, rule: str, **unit: int | str) -> Record:
        path = self.project / flag(rule, **unit)
        if not path.exists():
            raise DataError(path, found="no file", expected="the flag of a finished run")
        return read_record(path)

    def path_of(self, one: Product) -> Path:
        path = self.project / one.path
        return checked(one.model_copy(update={"path": str(path)}))

    def product_map(self, record: Record, role: str) -> Floats:
        return _floats(self.path_of(listed(record, role)[0]))

    def truth_map(self, mosaic: int, name: str) -> Floats:
        return _floats(self.truth / mosaic_name(mosaic, name, ".nii"))

    def true_positions(self, illumination: str) -> dict[int, Floats]:
        plain = json.loads((self.truth / f"positions-{illumination}.json").read_text())
        return {int(tile): np.array(position) for tile, position in plain.items()}

    def position_errors(self, illumination: str) -> Floats:
        """Return (x, y) errors of the tiles that hold tissue, common offset included."""
        record = self.record("find_tilemap", illumination=illumination)
        found = read_tilemap(self.path_of(listed(record, "tilemap")[0])).positions_px
        true, mosaic = self.true_positions(illumination), self.mosaics_of(illumination)[0]
        tissue = self.truth_map(mosaic, "tissue")
        shape = self.tile_shape(mosaic)
        held = [t for t in true if np.nanmean(_at(tissue, shape, true[t])) >= TISSUE_FRACTION]
        return np.array([np.subtract(found[tile], true[tile]) for tile in held])

    def tile_shape(self, mosaic: int) -> tuple[int, int]:
        row = self.experiment.illumination_of(mosaic)
        return (row.tile_size_y_px, row.tile_size_x_px)

    def _offset_px(self, illumination: str) -> Floats:
        """Return what lies at p in truth lies at p + offset in stitched maps; robustly."""
        return np.median(self.position_errors(illumination), axis=0)

    def true_on(self, stitched: Floats, mosaic: int, name: str) -> Floats:
        """Sample a map of the truth on the pixels of a stitched map."""
        offset_px = self.offset_px(self.experiment.illumination_of(mosaic).name)
        # Numbers between two axes mean nothing: those maps are sampled at the nearest pixel.
        order = 0 if name in _ANGLES else 1
        return _at(self.truth_map(mosaic, name), stitched.shape, -offset_px, order)


def _rows_of(run: _Run, name: str) -> list[Row]:
    """Measure one illumination."""
    errors = run.position_errors(name)
    spread = np.sqrt(np.mean(np.sum((errors - errors.mean(axis=0)) ** 2, axis=1)))
    mosaics = run.mosaics_of(name)
    return [
        Row(
            f"surface, {name}",
            _median([_surface_errors(run, mosaic) for mosaic in mosaics]),
            1.0,
            "px",
            "speckle at the edge, slope of the surface",
        ),
        Row(
            f"birefringence in bundles, {name}",
            _median([_birefringence_errors(run, mosaic) for mosaic in mosaics]),
            0.05,
            "fraction",
            "noise deep in the window, mixing at the rim of bundles",
        ),
        Row(
            f"in-plane axis, {name}",
            _median([_axis_errors(run, mosaic) for mosaic in mosaics]),
            2.0,
            "deg",
            "speckle noise where birefringence is low, mixing at the rim of bundles",
        ),
        Row(
            f"tissue mask, {name}",
            1 - min(_mask_dice(run, mosaic) for mosaic in mosaics),
            0.03,
            "1 - Dice",
            "noise and smoothing at the rim of the tissue; the smaller the tissue, the more",
        ),
        Row(
            f"tile positions, {name}",
            float(spread),
            0.25,
            "px",
            f"texture in the overlaps ({len(errors)} tiles with tissue; agar shows nothing)",
        ),
        Row(
            f"focus plane, {name}",
            _focus_error(run, name),
            0.1,
            "px",
            "noise of the surface, tiles without tissue at their rim",
        ),
    ]


def _surface_errors(run: _Run, mosaic: int) -> Floats:
    """Compare the surface of every tile with truth plus the surface pattern of the optics."""
    name = run.experiment.illumination_of(mosaic).name
    pattern = _floats(run.truth / f"focus-{name}.nii")
    surface, tissue = (run.truth_map(mosaic, what) for what in ("surface", "tissue"))
    positions, errors = run.true_positions(name), []
    for batch in run.experiment.batches_of(mosaic):
        record = run.record("process_batch", mosaic=mosaic, batch=batch)
        for one in listed(record, "surf"):
            found = _floats(run.path_of(one))
            at = positions[one.tile or 0]
            expected = _at(surface, found.shape, at) + pattern
            errors.append((found - expected)[_at(tissue, found.shape, at) > 0.99])
    return np.abs(np.concatenate(errors))


def _birefringence_errors(run: _Run, mosaic: int) -> Floats:
    """Return relative errors of the apparent birefringence in bundles."""
    found = run.product_map(run.record("stitch_enface", mosaic=mosaic), "biref")
    true = run.true_on(found, mosaic, "birefringence")
    chosen = _tissue(run, mosaic, found) & (run.true_on(found, mosaic, "dn") >= BUNDLE_DN)
    return np.abs(found - true)[chosen] / true[chosen]


def _axis_errors(run: _Run, mosaic: int) -> Floats:
    """Return errors of the in-plane axis where the apparent birefringence is above noise."""
    found = run.product_map(run.record("stitch_enface", mosaic=mosaic), "ori")
    true = run.true_on(found, mosaic, "axis")
    bright = run.true_on(found, mosaic, "birefringence") >= SIGNAL_DN
    chosen = _tissue(run, mosaic, found) & bright
    return np.abs(axis_difference(found[chosen], true[chosen]))


def _mask_dice(run: _Run, mosaic: int) -> float:
    """Return the Dice coefficient of mask and true tissue over the mosaic."""
    found = run.product_map(run.record("stitch_enface", mosaic=mosaic), "mask")
    true = run.true_on(found, mosaic, "tissue")
    known = np.isfinite(true)
    both = np.sum((found > 0) & (true > 0.5))
    return float(2 * both / (np.sum(found[known] > 0) + np.sum(true[known] > 0.5)))


def _focus_error(run: _Run, name: str) -> float:
    record = run.record("find_focus", illumination=name)
    gap = run.product_map(record, "focus") - _floats(run.truth / f"focus-{name}.nii")
    return float(np.sqrt(np.mean(gap**2)))


def _axis3d_row(run: _Run) -> Row:
    slices = range(1, run.simulation.n_slices + 1)
    errors = [_axis3d_errors(run, slice_id) for slice_id in slices]
    reason = "noise in depth is 1 / sin(tilt) times that in the plane; mixing at rims; registration"
    return Row("3-D axis", _median(errors), 4.0, "deg", reason)


def _axis3d_errors(run: _Run, slice_id: int) -> Floats:
    """Return angles between found and true axes where birefringence is above noise."""
    record = run.record("register_slice", slice=slice_id)
    found = np.reshape(run.product_map(record, "axis3d"), (3, -1))
    valid = run.product_map(record, "valid")
    mosaic = run.experiment.mosaic_of(slice_id, str(record.qc["fixed"]))
    true = unit_axes(*(run.true_on(valid, mosaic, n).ravel() for n in ("azimuth", "inclination")))
    bright = run.true_on(valid, mosaic, "dn") >= SIGNAL_DN
    chosen = (_tissue(run, mosaic, np.where(valid > 0, 0.0, np.nan)) & bright).ravel()
    return angles_deg(found, true)[chosen]


def _voxel_rows(run: _Run) -> list[Row]:
    """Measure the fibres of voxels, where they were asked for."""
    slices = range(1, run.simulation.n_slices + 1)
    paths = (run.project / flag("register_volumes", slice=s) for s in slices)
    records = [read_record(path) for path in paths if path.exists()]
    errors = [_voxel_errors(run, record) for record in records if listed(record, "inclination")]
    reason = "noise deep in the tissue, mixing across A-lines and at rims; constant along depth"
    return [
        Row(f"{name} of voxels", _median([one[i] for one in errors]), bound, "deg", reason)
        for i, (name, bound) in enumerate((("inclination", 4.0), ("3-D axis", 5.0)))
        if errors
    ]


def _voxel_errors(run: _Run, record: Record) -> tuple[Floats, Floats]:
    """Return errors of inclination and axis wherever a voxel has a value."""
    mosaic = run.experiment.mosaic_of(record.unit.slice or 1, str(record.qc["fixed"]))
    made = (p for p in record.outputs if p.role in _ANGLES)
    volumes = {one.role: read_volume(run.path_of(one)) for one in made}
    plane = np.zeros(volumes["azimuth"].shape[1:])
    true = {name: run.true_on(plane, mosaic, name) for name in ("azimuth", "inclination", "dn")}
    return voxel_errors(volumes, true, _tissue(run, mosaic, plane) & (true["dn"] >= SIGNAL_DN))


def _tissue(run: _Run, mosaic: int, found: Floats) -> NDArray[np.bool_]:
    return (run.true_on(found, mosaic, "tissue") > 0.99) & np.isfinite(found)


def _median(errors: list[Floats]) -> float:
    every = np.concatenate(errors)
    return float(np.median(every)) if every.size else float("nan")


def _at(array: Floats, shape: tuple[int, ...], first_px: Floats, order: int = 1) -> Floats:
    """Sample a map on `shape` pixels, the first one lying at (x, y) of it; NaN outside."""
    y, x = np.indices(shape, dtype=float)
    where = [y + first_px[1], x + first_px[0]]
    return map_coordinates(array, where, order=order, mode="constant", cval=np.nan)


def _floats(path: Path) -> Floats:
    return np.asarray(read_nifti(path), dtype=np.float64)
