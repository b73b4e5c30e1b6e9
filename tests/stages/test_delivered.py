"""Volumes and maps delivered by the microscope, from the inventory to the products."""

import os

import numpy as np
import pytest

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.io.digest import raw_id
from octflow.io.nifti import read_nifti, write_nifti
from octflow.simulate.uniform import uniform_jones
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.ingest.files import start_batch
from octflow.stages.process.contrast import contrasts
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

from flags import write_flag

N = 16
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N, tile_size_y_px=N)
UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}
ROLES = ("dBI", "R3D", "ori")


@pytest.fixture
def delivered(tmp_path):
    """Files of two tiles, as the microscope writes them."""
    for tile in (1, 2):
        jones, surface_px = uniform_jones(5e-4, snr_db=25, seed=tile)
        intensity, retardance, _ = contrasts(jones)
        arrays = {"dBI": intensity, "R3D": retardance, "ori": np.float32(0.1) * surface_px}
        for role, array in arrays.items():
            path = tmp_path / "raw" / tile_name(1, tile, role)
            write_nifti(path, array.astype(np.float32), voxel_size_mm=(0.01, 0.01, 0.0025))
        (tmp_path / "raw" / f"spectra-{tile}.nii").write_bytes(b"123")
    return tmp_path / "raw"


def seen(path):
    return {"path": str(path), "bytes": path.stat().st_size, "modified_s": path.stat().st_mtime_ns}


def inventory(raw):
    return [
        {
            "tile": tile,
            "files": {role: seen(raw / tile_name(1, tile, role)) for role in ROLES},
            "archive": seen(raw / f"spectra-{tile}.nii"),
        }
        for tile in (1, 2)
    ]


def run(raw, folder, mode="keep", **settings):
    """Run the three stages, each writing its flag."""
    said = {"acquisition": {"format": "processed_with_spectral"}}
    begun = start_batch(
        mosaic_started=raw, illumination=ROW, acquisition={}, inventory=inventory(raw)
    )
    started = flagged(folder / "started", "start_batch", begun, said)
    shared = {"illumination": ROW, "instrument": Instrument(), "threads": 1}
    chosen = ConvertSettings(complex=mode)
    looked = convert_batch(started=started, folder=folder / "complex", settings=chosen, **shared)
    plain = {"settings": chosen.plain()}
    return process_batch(
        converted=flagged(folder / "converted", "convert_batch", looked, plain),
        folder=folder / "processed",
        overview=folder / "batch.jpg",
        settings=ProcessSettings(**settings),
        **shared,
    )


def flagged(path, rule, outcome, parameters):
    path.parent.mkdir(parents=True, exist_ok=True)
    told = outcome.model_dump(exclude={"gates"})
    return write_flag(path, rule, parameters=parameters, unit=UNIT, **told)


@pytest.mark.parametrize("mode", ["keep", "temporary", "none"])
def test_what_is_delivered_is_linked_and_the_rest_written(tmp_path, delivered, mode):
    outcome = run(delivered, tmp_path / "p", mode)
    assert outcome.tiles.ok == [1, 2]
    paths = {
        p.role: tmp_path / "p" / "processed" / tile_name(1, 2, p.role)
        for p in outcome.outputs
        if p.tile == 2
    }
    linked = {role for role, path in paths.items() if path.is_symlink()}
    assert linked == set(ROLES)
    assert set(paths) - linked == {"surf", "surfraw", "aip", "mip", "ret", "biref"}
    assert np.median(read_nifti(paths["biref"])) == pytest.approx(5e-4, rel=0.1)


def test_the_record_holds_the_sha256_of_every_file_and_names_what_is_left_out(tmp_path, delivered):
    outcome = run(delivered, tmp_path / "p")
    paths = [delivered / tile_name(1, tile, role) for tile in (1, 2) for role in ROLES]
    assert {p.id for p in outcome.inputs} == {raw_id(path.read_bytes()) for path in paths}
    assert outcome.warnings[0].startswith("left out O3D: found dBI, R3D, ori delivered")


def test_a_damaged_file_fails_its_tile_alone(tmp_path, delivered):
    volume = np.array(read_nifti(delivered / tile_name(1, 1, "R3D")))
    volume[5, 4, 3] = np.nan
    path = delivered / tile_name(1, 1, "R3D")
    write_nifti(path, volume, voxel_size_mm=(0.01, 0.01, 0.0025))
    outcome = run(delivered, tmp_path / "p")
    assert outcome.tiles.ok == [2]
    assert outcome.tiles.failed[0].reason == (
        f"{path}: found 1 NaN or infinite values, expected finite values"
    )


def test_a_file_of_another_shape_is_missing_from_the_start(tmp_path, delivered):
    path = delivered / tile_name(1, 2, "ori")
    write_nifti(path, np.zeros((N, N - 1), np.float32), voxel_size_mm=(0.01, 0.01, 0.0025))
    outcome = run(delivered, tmp_path / "p")
    assert outcome.tiles.ok == [1]
    assert "found shape (15, 16, 1), expected (16, 16, 1)" in outcome.tiles.missing[0].reason


def test_a_resumed_batch_redoes_exactly_the_tile_with_a_changed_file(tmp_path, delivered):
    run(delivered, tmp_path / "p")
    maps = {t: tmp_path / "p" / "processed" / tile_name(1, t, "aip") for t in (1, 2)}
    before = {t: path.stat().st_mtime_ns for t, path in maps.items()}
    os.utime(delivered / tile_name(1, 2, "ori"), ns=(1, 1))
    run(delivered, tmp_path / "p")
    assert [t for t, path in maps.items() if path.stat().st_mtime_ns != before[t]] == [2]
