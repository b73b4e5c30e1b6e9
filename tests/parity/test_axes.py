"""Fibre axes of both backends: of known fibres, and of a slice as the stage is given it."""

from pathlib import Path

import numpy as np
import pytest

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.matlab_job import MatlabTile, run_batch
from octflow.io.nifti import read_nifti, write_nifti
from octflow.simulate.fibre_maps import fibre_maps, write_measured
from octflow.simulate.slice_maps import affine_of
from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.fibres import View, fibre_field
from octflow.stages.register.files import register_slice
from octflow.stages.register.settings import RegisterSettings

import matlab_programs as programs
import oracle
from flags import write_flag
from octave import needs_octave

SHAPE = (64, 80)
TILTS_DEG = {"2 views": (0, -15), "3 views": (-15, 0, 10)}
BOUNDS = {
    "dn": (1e-4, "of dn"),
    "axis": (1e-2, "deg"),
    "sign of inclination": (0, "of pixels"),
}
SLICE_BOUNDS = BOUNDS | {
    "misfit": (1e-4, "of max"),
    "uncertainty": (1e-2, "deg"),
    "noise": (1e-4, "of noise"),
}
BACKENDS = ["python", pytest.param("octave", marks=needs_octave)]


@pytest.fixture(scope="module")
def fibres():
    """Unit vectors evenly over the sphere and birefringences, one of each per pixel."""
    rng = np.random.default_rng(8)
    axis = rng.normal(size=(3, *SHAPE))
    return axis / np.linalg.norm(axis, axis=0), rng.uniform(1e-4, 2e-3, SHAPE)


def seen(fibres, tilt_deg):
    return [image.astype(np.float32) for image in oracle.fibres_seen(*fibres, tilt_deg)]


def solve_with_python(fibres, tilts_deg):
    views = [
        View("", g, *(seen(fibres, g)[i] for i in (0, 0, 1)), np.ones(SHAPE, bool))
        for g in tilts_deg
    ]
    field = fibre_field(views, [1.0] * len(views))
    return field.axis, field.birefringence


def solve_with_octave(fibres, tilts_deg, folder):
    """Run the step register on maps that need neither registration nor averaging."""
    names = ("azimuth", "inclination", "dn")
    views = []
    for k, tilt_deg in enumerate(tilts_deg):
        view = {"tilt_deg": tilt_deg, "weight": 1, "turn_deg": 0, "matrix": np.eye(2, 3).tolist()}
        for name, image in zip(("delta_n", "axis"), seen(fibres, tilt_deg), strict=True):
            view[name] = str(folder / f"{name}-{k}.nii")
            write_nifti(Path(view[name]), image, voxel_size_mm=(1, 1, 1))
        views.append(view)
    outputs = {name: folder / f"{name}.nii" for name in names}
    settings = RegisterSettings(axis_smoothing="none").plain()
    batch = run_batch(
        "register",
        [MatlabTile(1, folder, outputs, {"views": views})],
        {"voxel_mm": [1, 1, 1], "settings": settings},
        backend="octave",
        settings=programs.settings(),
        digest=None,
        work=folder,
        threads=1,
    )
    azimuth, inclination, dn = (read_nifti(batch.of(1).outputs[name]) for name in names)
    return oracle.fibre_vectors(azimuth, inclination), dn


@pytest.fixture(scope="module")
def found(fibres, tmp_path_factory):
    """Return axes and birefringence that a backend finds from some views of the fibres."""
    known = {}

    def of(views, backend):
        if (views, backend) not in known:
            tilts_deg = TILTS_DEG[views]
            known[views, backend] = (
                solve_with_python(fibres, tilts_deg)
                if backend == "python"
                else solve_with_octave(fibres, tilts_deg, tmp_path_factory.mktemp("octave"))
            )
        return known[views, backend]

    return of


def difference(name, found, expected):
    """Return the largest difference of axes and birefringence, in the unit of its bound."""
    axis, dn = found
    if name == "dn":
        return np.abs(dn / expected[1] - 1).max()
    if name == "axis":
        sine = np.linalg.norm(np.cross(axis, expected[0], axis=0), axis=0)
        return np.rad2deg(np.arcsin(np.minimum(sine, 1))).max()
    signs = [np.sign(azimuth_and_inclination(one)[1]) for one in (axis, expected[0])]
    return np.mean(signs[0] != signs[1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("views", TILTS_DEG)
@pytest.mark.parametrize("name", BOUNDS)
def test_known_fibres_are_found(views, backend, name, fibres, found, record_property):
    bound, unit = BOUNDS[name]
    largest = float(difference(name, found(views, backend), fibres))
    record_property("parity", (f"known fibres, {views}", backend, name, largest, bound, unit))
    assert largest <= bound


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Products of a simulated slice, noise 20 dB below it, by backend; with the record."""
    way = affine_of(
        -15, rotation_deg=2, shear=0.02, scale=1.02, shift_px=(9, 9), centre_px=(99, 80)
    )
    maps = fibre_maps((160, 200), way, tilt_deg=-15, snr_db=20, seed=2)
    folder, flags = tmp_path_factory.mktemp("stitched"), []
    for name, view in {"normal": maps.fixed, "tilted": maps.moving}.items():
        unit = {"slice": 1, "mosaic": len(flags) + 1, "illumination": name}
        outputs = write_measured(folder, name, view)
        flags.append(write_flag(folder / name, outputs=outputs, unit=unit))
    return {
        backend: products_of(flags, backend, tmp_path_factory.mktemp(backend))
        for backend in ("python", "octave")
    }


def products_of(flags, backend, folder):
    tilts_deg = {"normal": 0, "tilted": -15}
    outcome = register_slice(
        stitched=flags,
        overview=folder / "overview.jpg",
        folder=folder,
        illuminations=[
            Illumination(name=n, tilt_deg=g, grid_size_x=1) for n, g in tilts_deg.items()
        ],
        slice_id=1,
        instrument=Instrument(),
        settings=RegisterSettings(backend=backend),
        matlab=programs.settings(),
    )
    maps = {p.role: read_nifti(Path(p.path)) for p in outcome.outputs if ".nii" in p.path}
    valid = maps["valid"] > 0
    return {role: image[..., valid] for role, image in maps.items()} | {
        "noise": np.array([outcome.qc["noise_root_dn"]]),
        "axis3d": maps["axis3d"][:, 0][:, valid],
        "where": valid,
    }


@needs_octave
@pytest.mark.parametrize("name", SLICE_BOUNDS)
def test_octave_makes_of_a_slice_what_python_makes(name, slices, record_property):
    bound, unit = SLICE_BOUNDS[name]
    here, there = slices["python"], slices["octave"]
    np.testing.assert_array_equal(here["where"], there["where"])
    if name in BOUNDS:
        largest = difference(name, *((one["axis3d"], one["dn"]) for one in (there, here)))
    else:
        scale = 1 if unit == "deg" else np.abs(here[name]).max()
        largest = np.abs(there[name] - here[name]).max() / scale
    cell = ("slice, from stitched maps", "octave, against python", name, float(largest))
    record_property("parity", (*cell, bound, unit))
    assert largest <= bound
