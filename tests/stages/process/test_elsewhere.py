"""Volumes and maps that GNU Octave computes: the same, judged the same, named in the record."""

import numpy as np
import pytest

from octflow.core.errors import OctflowError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import Tiles
from octflow.io.complex_tiles import write_complex_tile
from octflow.io.nifti import read_nifti, read_voxel_size_mm
from octflow.io.records import product
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

import matlab_programs as programs
from flags import write_flag
from octave import needs_octave

pytestmark = needs_octave

N_X, N_Y, N_Z = 9, 7, 1000
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N_X, tile_size_y_px=N_Y)
UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}
AXES = {"O3D", "ori"}
SETTINGS = {
    "as set": {},
    "the fold, with all else": {
        "roll_off_db": 6,
        "scattering": True,
        "scattering_noise": "subtract",
        "enface_offset_px": 5,
        "enface_depth_px": 60,
        "flip_phase": True,
        "storage": "int16",
    },
    "the slope": {"birefringence": "slope", "surface": "find-threshold", "scattering": True},
    "a given surface": {"surface": 140, "modalities": ("dBI", "aip")},
}


def tissue():
    """Jones vectors of birefringent tissue, with a surface that is not level, in noise."""
    rng = np.random.default_rng(5)
    z, y, x = np.ogrid[:N_Z, :N_Y, :N_X]
    below_um = 2.5 * np.maximum(z - 150 - 3 * x - 2 * y, 0)
    delta = 2 * np.pi * (3e-4 + 3e-4 * x) * below_um / 1.3
    amplitude = 1e4 * (below_um > 0) * np.exp(-below_um / 300)
    lines = amplitude * np.array([np.sin(delta) * np.exp(1j * (1 + 0.2 * y)), np.cos(delta)])
    noise = rng.normal(0, 20, size=(2, N_Z, N_Y, N_X, 2)).view(complex)[..., 0]
    return (lines + noise).astype(np.complex64)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The flag of a batch of two tiles; one sample of the second is not finite."""
    folder = tmp_path_factory.mktemp("complex")
    paths = {tile: folder / tile_name(1, tile, "complex") for tile in (1, 2)}
    for tile, path in paths.items():
        jones = tissue()
        jones[0, 500, 2, 3] = np.nan if tile == 2 else 0
        write_complex_tile(path, jones, voxel_size_mm=Instrument().voxel_size_mm)
    outputs = [product(path, "complex", tile) for tile, path in paths.items()]
    tiles = Tiles(ok=[1, 2])
    return write_flag(folder / "flag", "convert_batch", outputs=outputs, tiles=tiles, unit=UNIT)


def process(converted, folder, backend="octave", *, functions=None, **settings):
    return process_batch(
        converted=converted,
        folder=folder,
        overview=folder / "batch-001.jpg",
        illumination=ROW,
        instrument=Instrument(),
        settings=ProcessSettings(backend=backend, **settings),
        matlab=programs.settings(functions=functions),
        threads=1,
    )


def arrays(folder):
    paths = folder.glob("mosaic_001_image_0001_*.nii")
    return {
        p.stem.rpartition("_")[2]: (np.array(read_nifti(p)), read_voxel_size_mm(p)) for p in paths
    }


def distance(name, first, second):
    turned = np.abs(first.astype(float) - second)
    return np.minimum(turned, 180 - turned) if name in AXES else turned


def measured(outcome):
    return {name: value for name, value in outcome.qc.items() if value is not None}


@pytest.mark.parametrize("case", SETTINGS)
def test_octave_gives_what_python_gives(tmp_path, converted, case):
    here = process(converted, tmp_path / "here", "python", **SETTINGS[case])
    there = process(converted, tmp_path / "there", **SETTINGS[case])
    expected, found = arrays(tmp_path / "here"), arrays(tmp_path / "there")
    assert found.keys() == expected.keys()
    for name, (values, voxel_mm) in expected.items():
        assert found[name][1] == pytest.approx(voxel_mm)
        assert np.median(distance(name, found[name][0], values)) <= 1e-5 * np.abs(values).max()
        if values.ndim == 2:
            # Volumes hold noise, where angles are any.
            assert distance(name, found[name][0], values).max() <= 1e-4 * np.abs(values).max()
    assert measured(there) == pytest.approx(measured(here), rel=1e-4)
    assert [gate.name for gate in there.gates] == [gate.name for gate in here.gates]
    assert sorted(p.role for p in here.outputs) == sorted(p.role for p in there.outputs)


def test_the_function_of_a_lab_is_called_in_the_place_of_ours(tmp_path, converted):
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "enface_maps.m").write_text(
        "function maps = enface_maps(intensity_db, retardance_deg, axis_deg, start, stop)\n"
        "maps = struct('aip', single(start), 'mip', single(start), 'ret', single(stop), ...\n"
        "    'ori', single(0 * start));\n"
        "end\n"
    )
    process(converted, tmp_path / "out", functions=str(lab), birefringence="slope")
    found = arrays(tmp_path / "out")
    np.testing.assert_array_equal(found["aip"][0], np.rint(found["surf"][0]))
    np.testing.assert_array_equal(found["ret"][0], np.rint(found["surf"][0]) + 80)


def test_values_that_are_not_finite_are_the_fault_of_the_function(tmp_path, converted):
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "smooth_surface.m").write_text(
        "function smooth_px = smooth_surface(surface_px)\nsmooth_px = surface_px;\n"
        "smooth_px(1) = NaN;\nend\n"
    )
    with pytest.raises(OctflowError, match=r"tile 1: .*") as failed:
        process(converted, tmp_path / "out", functions=str(lab), surface=100)
    assert failed.value.kind == "code"


def test_a_complex_tile_that_was_changed_fails_here_too(tmp_path, converted):
    path = next(converted.parent.glob("*_0002_complex.nii"))
    before = path.read_bytes()
    path.write_bytes(before[:-4] + b"abcd")
    outcome = process(converted, tmp_path)
    path.write_bytes(before)
    assert (outcome.tiles.ok, [t.tile for t in outcome.tiles.failed]) == ([1], [2])
