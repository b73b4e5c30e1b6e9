"""Fibre axes that GNU Octave computes: the same as Python's, checked, and named in the record."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from octflow.core.errors import SettingsError, TileError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.mat import read_mat
from octflow.io.nifti import read_nifti, read_voxel_size_mm
from octflow.simulate.fibre_maps import fibre_maps, write_measured
from octflow.simulate.slice_maps import affine_of
from octflow.stages.register.files import register_slice
from octflow.stages.register.settings import RegisterSettings

import matlab_programs as programs
from flags import write_flag
from octave import needs_octave

pytestmark = needs_octave

SHAPE = (130, 160)
QUICK = {"iterations": 20, "levels": 2}
TILTS_DEG = {"normal": 0, "tilted": -15, "other": 12}
TURNS_DEG = {"tilted": 2, "other": -1}
MAPS = ("dn", "misfit", "uncertainty", "uncertainty_inclination", "valid")
CASES = {
    "as set": (("normal", "tilted"), {}),
    "three views": (("normal", "tilted", "other"), {"view_weights": {"other": 0.5}}),
    "no straight view": (("tilted", "other"), {"axis_smoothing": "gaussian"}),
    "a given noise": (
        ("normal", "tilted"),
        {"axis_noise_root_dn": 2e-3, "axis_goal_deg": 5, "view_weights": {"tilted": 2}},
    ),
}


def view_of(name):
    """What a view measures of the slice, the same slice for all."""
    way = {"rotation_deg": TURNS_DEG.get(name, 0), "shear": 0.01, "scale": 1.01}
    tilt_deg = TILTS_DEG[name]
    matrix = affine_of(tilt_deg, **way, shift_px=(5, 5), centre_px=(80, 65))
    maps = fibre_maps(SHAPE, matrix, tilt_deg=tilt_deg, snr_db=20, seed=3)
    return maps.fixed if name == "normal" else maps.moving


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """The flags of stitched maps, by illumination."""
    folder = tmp_path_factory.mktemp("stitched")
    flags = {}
    for i, name in enumerate(TILTS_DEG, start=1):
        unit = {"slice": 7, "mosaic": i, "illumination": name}
        outputs = write_measured(folder, name, view_of(name))
        flags[name] = write_flag(folder / name, outputs=outputs, unit=unit)
    return flags


def register(flags, folder, backend="octave", *, matlab=None, **settings):
    return register_slice(
        stitched=list(flags),
        overview=folder / "overview.jpg",
        folder=folder,
        illuminations=[
            Illumination(name=n, tilt_deg=g, grid_size_x=1) for n, g in TILTS_DEG.items()
        ],
        slice_id=7,
        instrument=Instrument(),
        settings=RegisterSettings(
            backend=backend, backend_id="sha256:of-functions", **QUICK | settings
        ),
        matlab=programs.settings(**(matlab or {})),
        threads=1,
    )


def read(outcome, role):
    return read_nifti(Path(next(p.path for p in outcome.outputs if p.role == role)))


def angle_deg(first, second):
    """Angles between unit vectors of either sign, from their cross products."""
    sine = np.linalg.norm(np.cross(first, second, axis=0), axis=0)
    return np.rad2deg(np.arcsin(np.minimum(sine, 1)))


@pytest.fixture(scope="module", params=CASES)
def both(request, flags, tmp_path_factory):
    """What Python and what Octave make of the same maps."""
    names, settings = CASES[request.param]
    chosen = [flags[name] for name in names]
    return [
        register(chosen, tmp_path_factory.mktemp(backend), backend, **settings)
        for backend in ("python", "octave")
    ]


def test_octave_finds_the_axes_that_python_finds(both):
    here, there = (read(outcome, "axis3d")[:, 0] for outcome in both)
    valid = here.any(axis=0)
    assert valid.mean() > 0.5
    assert angle_deg(here, there)[valid].max() < 1e-2
    np.testing.assert_array_equal(np.sign(here[2]) * np.sign(here[0]), np.sign(there[2] * there[0]))


@pytest.mark.parametrize("role", MAPS)
def test_octave_writes_the_maps_that_python_writes(both, role):
    here, there = (read(outcome, role) for outcome in both)
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-4 * np.nanmax(here))


def test_octave_averages_what_the_views_see_as_python_does(both):
    here, there = (read_mat(Path(next(p.path for p in o.outputs if p.role == "mat"))) for o in both)
    assert here.keys() == there.keys()
    for name in (n for n in here if n.startswith("dneff")):
        np.testing.assert_allclose(there[name], here[name], rtol=1e-4, atol=1e-8)
    for name in (n for n in here if n.startswith("phi")):
        turned = np.abs(there[name] - here[name])
        assert np.nanmax(np.rad2deg(np.minimum(turned, np.pi - turned))) < 1e-2


def measured(outcome):
    return {name: value for name, value in outcome.qc.items() if isinstance(value, int | float)}


def test_the_record_tells_the_same_but_who_computed(both):
    here, there = both
    assert measured(there) == pytest.approx(measured(here), rel=1e-4)
    assert there.qc["fixed"] == here.qc["fixed"]
    assert (there.warnings, there.gates) == (here.warnings, here.gates)
    assert [p.role for p in there.outputs] == [p.role for p in here.outputs]
    assert (here.backend.name, there.backend.name) == ("python", "octave")
    assert there.backend.version.startswith("GNU Octave ")
    assert there.backend.id == "sha256:of-functions"


def test_nothing_is_left_beside_the_products(both):
    folder = Path(both[1].outputs[0].path).parent
    assert list(folder.glob(".backend*")) == []


@pytest.fixture(scope="module")
def unaveraged(flags, tmp_path_factory):
    """What Octave makes of views that are not averaged."""
    pair = [flags["normal"], flags["tilted"]]
    return register(pair, tmp_path_factory.mktemp("unaveraged"), axis_smoothing="none")


@pytest.mark.parametrize("backend", ["python", "matlab", "matlab-engine"])
def test_all_backends_give_what_octave_gives(flags, unaveraged, tmp_path, monkeypatch, backend):
    monkeypatch.syspath_prepend(str(programs.ENGINE))
    matlab = {"executable": programs.program(tmp_path, "matlab", programs.MATLAB)}
    pair = [flags["normal"], flags["tilted"]]
    found = register(pair, tmp_path / "out", backend, matlab=matlab, axis_smoothing="none")
    for name in ("matlab.engine", "matlab"):
        sys.modules.pop(name, None)
    assert found.backend.name == backend
    assert "averaged_pixels" not in found.qc
    rtol = 1e-4 if backend == "python" else 0
    for role in ("axis3d", *MAPS):
        scale = np.nanmax(read(unaveraged, role))
        np.testing.assert_allclose(
            read(found, role), read(unaveraged, role), rtol=rtol, atol=rtol * scale
        )


def lab(folder, name, body):
    """Write a function of a lab, whole."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.m").write_text(body)
    return {"functions": str(folder)}


FLAT = """\
function fibres = thru_plane(delta_n, axis_deg, tilt_deg, options)
seen = delta_n(:, :, 1) + delta_n(:, :, 2);
flat = 0 * seen;
fibres = struct('azimuth_deg', flat + 30, 'inclination_deg', flat + {inclination}, ...
    'delta_n', flat + 1e-3, 'misfit', flat, 'uncertainty_deg', flat, ...
    'inclination_uncertainty_deg', {uncertainty}, 'noise', 0.5);
end
"""


def test_the_function_of_a_lab_is_called_in_the_place_of_ours(flags, tmp_path):
    body = FLAT.format(inclination="60", uncertainty="flat")
    asked = lab(tmp_path / "lab", "thru_plane", body)
    pair = [flags["normal"], flags["tilted"]]
    found = register(pair, tmp_path, matlab=asked, axis_smoothing="none")
    axis, valid = read(found, "axis3d")[:, 0], read(found, "valid") > 0
    expected = [np.sqrt(3) / 4, 0.25, np.sqrt(3) / 2]
    np.testing.assert_allclose(axis[:, valid].T, np.tile(expected, (valid.sum(), 1)), rtol=1e-6)
    assert found.qc["noise_root_dn"] == 0.5
    assert read_voxel_size_mm(tmp_path / "slice-007_dn.nii.gz")[0] == pytest.approx(0.01)


FAULTS = {
    "values where there are no fibres": (
        FLAT.format(inclination="0", uncertainty="ones(size(flat), 'single')"),
        "code",
        r"uncertainty_inclination.nii: found 0 pixels without value, expected the \d+",
    ),
    "infinite values": (
        FLAT.format(inclination="inf", uncertainty="flat"),
        "code",
        "inclination.nii: found infinite values",
    ),
    "another size": (
        FLAT.format(inclination="0", uncertainty="flat(1:9, 1:9)"),
        "code",
        "uncertainty_inclination.nii: found 676 bytes",
    ),
    "bad data": (
        "function fibres = thru_plane(varargin)\nrefuse('the maps', 'noise', 'fibres');\nend\n",
        "data",
        "the maps: found noise, expected fibres",
    ),
    "a crash": (
        "function fibres = thru_plane(varargin)\nkill(getpid(), 6);\nend\n",
        "resource",
        "found no report of the tile, expected one: octave-cli: killed by SIGABRT",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_told_with_its_kind(flags, tmp_path, fault):
    body, kind, said = FAULTS[fault]
    asked = lab(tmp_path / "lab", "thru_plane", body)
    with pytest.raises(TileError, match=said) as failed:
        register([flags["normal"], flags["tilted"]], tmp_path, matlab=asked, axis_smoothing="none")
    assert failed.value.kind == kind
    assert list(tmp_path.glob("slice-*")) == list(tmp_path.glob(".backend*")) == []


def test_one_view_alone_asks_for_no_program(flags, tmp_path):
    outcome = register([flags["normal"]], tmp_path, matlab={"octave": "no-octave"})
    assert outcome.backend.name == "python"
    assert outcome.qc["views"] == 1


def test_a_program_that_there_is_not_is_named_with_its_key(flags, tmp_path):
    pair = [flags["normal"], flags["tilted"]]
    with pytest.raises(SettingsError, match=r"matlab\.octave no-octave: found No such file"):
        register(pair, tmp_path, matlab={"octave": "no-octave"})


def test_the_affine_is_that_of_python(both):
    texts = [next(p.path for p in o.outputs if p.role == "affine") for o in both]
    here, there = (json.loads(Path(path).read_text()) for path in texts)
    assert here == there
