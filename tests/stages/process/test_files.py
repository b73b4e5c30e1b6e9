"""A batch of tiny tiles: products, isolation, resume, determinism."""

import numpy as np
import pytest
from PIL import Image

from octflow.core.axial import axis_difference
from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import TileFailure, Tiles
from octflow.io.batch import TileRecord
from octflow.io.complex_tiles import write_complex_tile
from octflow.io.nifti import read_nifti, read_voxel_size_mm, write_nifti
from octflow.io.records import product
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

from flags import write_flag

N_X, N_Y, N_Z = 8, 6, 1000
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N_X, tile_size_y_px=N_Y)
ZERO = "sha256:" + 64 * "0"
DELTA_N, AXIS_DEG, SURFACE_PX = 3e-4, 25.0, 150
VOLUMES = ("dBI", "R3D", "O3D")
MAPS = ("surf", "surfraw", "aip", "mip", "ret", "ori", "biref")


def tissue(seed):
    """Jones vectors of tissue with a known surface, retardance and axis, in weak noise."""
    rng = np.random.default_rng(seed)
    below_um = 2.5 * np.maximum(np.arange(N_Z) - SURFACE_PX, 0)
    delta = 2 * np.pi * DELTA_N * below_um / 1.3
    amplitude = 1e4 * (np.arange(N_Z) >= SURFACE_PX) * np.exp(-below_um / 200)
    chi = np.deg2rad(2 * (AXIS_DEG - 100))
    lines = amplitude * np.array([np.sin(delta) * np.exp(1j * chi), np.cos(delta)])
    noise = rng.normal(0, 20, size=(2, N_Z, N_Y, N_X, 2)).view(complex)[..., 0]
    return (lines[:, :, None, None] + noise).astype(np.complex64)


def noise_tile():
    """What random counts of 0 to 4095 give: about 98 dB at every depth."""
    rng = np.random.default_rng(0)
    sigma = 4095 / np.sqrt(12) * np.sqrt(2048 / 2)
    noise = rng.normal(0, sigma, size=(2, N_Z, N_Y, N_X, 2)).view(complex)[..., 0]
    return noise.astype(np.complex64)


def write_tiles(folder, tiles):
    paths = {t: folder / tile_name(1, t, "complex") for t in tiles}
    for tile, jones in tiles.items():
        write_complex_tile(paths[tile], jones, voxel_size_mm=(0.01, 0.01, 0.0025))
    return paths


UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}


def write_converted(path, paths, *, failed=(), missing=()):
    return write_flag(
        path,
        "convert_batch",
        outputs=[product(p, "complex", t) for t, p in paths.items()],
        tiles=Tiles(ok=list(paths), failed=list(failed), missing=list(missing)),
        unit=UNIT,
    )


def process(converted, folder, *, threads=1, **settings):
    return process_batch(
        converted=converted,
        folder=folder,
        overview=folder / "batch-001.jpg",
        illumination=ROW,
        instrument=Instrument(),
        settings=ProcessSettings(**settings),
        threads=threads,
    )


@pytest.fixture
def paths(tmp_path):
    return write_tiles(tmp_path / "complex", {t: tissue(t) for t in (1, 2)})


def times(folder, tile):
    roles = (*VOLUMES, *MAPS)
    return [(folder / tile_name(1, tile, role)).stat().st_mtime_ns for role in roles]


def read(folder, tile, role):
    return read_nifti(folder / tile_name(1, tile, role))


def test_every_product_is_written_and_listed(tmp_path, paths):
    outcome = process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    assert [p.role for p in outcome.outputs if p.tile == 1] == [*VOLUMES, *MAPS]
    assert outcome.outputs[-1].role == "overview"
    assert outcome.tiles.ok == [1, 2]
    assert {read(tmp_path / "out", 2, v).shape for v in VOLUMES} == {(N_Z, N_Y, N_X)}
    assert {read(tmp_path / "out", 2, m).shape for m in MAPS} == {(N_Y, N_X)}
    assert {read(tmp_path / "out", 2, v).dtype for v in (*VOLUMES, *MAPS)} == {np.dtype("f4")}


def test_the_maps_are_those_of_the_tissue(tmp_path, paths):
    process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    found = {role: np.median(read(tmp_path / "out", 1, role)) for role in MAPS}
    assert found["surf"] == pytest.approx(SURFACE_PX, abs=1)
    assert found["ori"] == pytest.approx(AXIS_DEG, abs=0.5)
    assert found["biref"] == pytest.approx(DELTA_N, rel=0.02)
    assert found["mip"] == pytest.approx(80, abs=0.5)


def test_headers_carry_the_true_voxel_size(tmp_path, paths):
    process(write_converted(tmp_path / "c", paths), tmp_path / "out", enface_depth_px=60)
    sizes = [read_voxel_size_mm(tmp_path / "out" / tile_name(1, 1, r)) for r in ("dBI", "aip")]
    assert sizes[0] == pytest.approx((0.01, 0.01, 0.0025))
    assert sizes[1] == pytest.approx((0.01, 0.01, 0.15))


def test_a_tile_of_noise_is_refused(tmp_path, paths):
    paths |= write_tiles(tmp_path / "complex", {3: noise_tile()})
    outcome = process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    (failure,) = outcome.tiles.failed
    assert failure.tile == 3
    assert f"{paths[3]}: found a noise floor of 96." in failure.reason
    assert "expected at most 70 dB" in failure.reason
    assert outcome.tiles.ok == [1, 2]


def test_what_failed_before_is_missing_here(tmp_path, paths):
    failed = [TileFailure(tile=4, reason="cut short")]
    missing = [TileFailure(tile=3, reason="stage stuck", kind="missing")]
    converted = write_converted(tmp_path / "c", paths, failed=failed, missing=missing)
    outcome = process(converted, tmp_path / "out")
    assert [(t.tile, t.reason) for t in outcome.tiles.missing] == [
        (3, "stage stuck"),
        (4, "cut short"),
    ]


def test_a_complex_tile_changed_after_conversion_fails(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    write_tiles(tmp_path / "complex", {2: tissue(9)})
    outcome = process(converted, tmp_path / "out")
    assert outcome.tiles.ok == [1]
    assert "found xxh3:" in outcome.tiles.failed[0].reason


def test_a_resumed_batch_redoes_nothing(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    first = process(converted, tmp_path / "out")
    before = times(tmp_path / "out", 1)
    assert process(converted, tmp_path / "out") == first
    assert times(tmp_path / "out", 1) == before


def test_a_resumed_batch_redoes_exactly_the_changed_tile(tmp_path, paths):
    process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    before = {t: times(tmp_path / "out", t) for t in paths}
    write_tiles(tmp_path / "complex", {2: tissue(9)})
    process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    assert times(tmp_path / "out", 1) == before[1]
    assert not set(times(tmp_path / "out", 2)) & set(before[2])


def test_threads_do_not_change_a_byte(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    one = process(converted, tmp_path / "one", threads=1)
    two = process(converted, tmp_path / "two", threads=2)
    assert [p.id for p in one.outputs] == [p.id for p in two.outputs]


def test_only_what_is_asked_for_is_written(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    outcome = process(converted, tmp_path / "out", modalities=("aip",), scattering=True)
    roles = {p.role for p in outcome.outputs if p.tile == 1}
    assert roles == {"aip", "surf", "surfraw", "mus"}


def test_weak_tiles_pass_with_a_warning(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    outcome = process(converted, tmp_path / "out", gates={"snr_db": {"warn": 60}})
    assert [w.split(" of ")[0] for w in outcome.warnings] == [
        "tile 1: a median SNR",
        "tile 2: a median SNR",
    ]
    assert [g.name for g in outcome.gates] == ["snr_db, tile 1", "snr_db, tile 2"]


def test_tiles_beyond_a_bound_are_refused(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    outcome = process(converted, tmp_path / "out", gates={"snr_db": {"warn": 70, "fail": 60}})
    assert [f.tile for f in outcome.tiles.failed] == [1, 2]
    assert "found a median SNR of" in outcome.tiles.failed[0].reason
    assert "expected at least 60 dB" in outcome.tiles.failed[0].reason
    assert not list((tmp_path / "out").glob("*.nii"))


def test_samples_that_are_not_finite_are_dark_and_a_warning(tmp_path):
    jones = tissue(1)
    jones[0, 500, 2, 3] = np.nan
    converted = write_converted(tmp_path / "c", write_tiles(tmp_path / "complex", {1: jones}))
    outcome = process(converted, tmp_path / "out")
    assert outcome.warnings == ["tile 1: 0.001% of the samples not finite, expected at most 0.000%"]
    assert read(tmp_path / "out", 1, "R3D")[500, 2, 3] == 0
    assert np.isfinite(read(tmp_path / "out", 1, "dBI")).all()


def test_saturation_is_taken_from_the_record_of_the_conversion(tmp_path, paths):
    known = TileRecord(tile=2, source="", signature="", qc={"saturated_fraction": 0.7})
    path = tmp_path / "complex" / "records" / "tile-0002.json"
    path.parent.mkdir()
    path.write_text(known.model_dump_json())
    outcome = process(write_converted(tmp_path / "c", paths), tmp_path / "out")
    assert outcome.tiles.ok == [1]
    assert "found 70.000% of the samples saturated" in outcome.tiles.failed[0].reason


def test_a_map_of_the_surface_is_used_and_listed(tmp_path, paths):
    surface_px = np.full((N_Y, N_X), SURFACE_PX - 20, np.float32)
    write_nifti(tmp_path / "s.nii", surface_px, voxel_size_mm=(1, 1, 1))
    converted = write_converted(tmp_path / "c", paths)
    outcome = process(converted, tmp_path / "out", surface=str(tmp_path / "s.nii"))
    np.testing.assert_array_equal(read(tmp_path / "out", 1, "surf"), surface_px)
    assert outcome.inputs[-1].role == "surface_map"


def test_another_map_of_the_surface_makes_the_tiles_anew(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    for depth_px in (100, 140):
        surface_px = np.full((N_Y, N_X), depth_px, np.float32)
        write_nifti(tmp_path / "s.nii", surface_px, voxel_size_mm=(1, 1, 1))
        process(converted, tmp_path / "out", surface=str(tmp_path / "s.nii"))
    assert (read(tmp_path / "out", 1, "surf") == 140).all()


@pytest.mark.parametrize(
    ("surface_px", "said"),
    [
        (np.zeros((N_X, N_Y)), r"found shape \(8, 6\), expected \(y, x\) of \(6, 8\)"),
        (np.full((N_Y, N_X), np.nan), "found 48 values not finite"),
        (None, "found no file"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused(tmp_path, paths, surface_px, said):
    path = tmp_path / "s.nii"
    if surface_px is not None:
        write_nifti(path, surface_px.astype(np.float32), voxel_size_mm=(1, 1, 1))
    with pytest.raises(DataError, match=f"s.nii: {said}"):
        process(write_converted(tmp_path / "c", paths), tmp_path / "out", surface=str(path))


def test_a_misspelt_rule_is_no_path():
    with pytest.raises(ValueError, match="surface"):
        ProcessSettings(surface="fnd")


def test_int16_halves_the_volumes_and_leaves_the_maps(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    for storage in ("float32", "int16"):
        process(converted, tmp_path / storage, storage=storage)
    for role, error in {"dBI": 0.0051, "R3D": 0.0014, "O3D": 0.0014}.items():
        plain, scaled = (read(tmp_path / s, 1, role) for s in ("float32", "int16"))
        gap = axis_difference(plain, scaled) if role == "O3D" else plain - scaled
        assert np.abs(gap).max() <= error
        files = [tmp_path / s / tile_name(1, 1, role) for s in ("float32", "int16")]
        assert files[0].stat().st_size - 352 == 2 * (files[1].stat().st_size - 352)
    np.testing.assert_array_equal(*(read(tmp_path / s, 1, "aip") for s in ("float32", "int16")))


def test_the_fold_is_undone_on_request(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    process(converted, tmp_path / "out", birefringence="fold", enface_depth_px=500)
    assert np.median(read(tmp_path / "out", 1, "biref")) == pytest.approx(DELTA_N, rel=0.02)
    assert np.median(read(tmp_path / "out", 1, "ori")) == pytest.approx(AXIS_DEG, abs=0.5)


def test_roll_off_is_given_back_to_the_intensity(tmp_path, paths):
    converted = write_converted(tmp_path / "c", paths)
    for name, roll_off_db in {"plain": 0, "raised": 6}.items():
        process(converted, tmp_path / name, roll_off_db=roll_off_db)
    gain_db = read(tmp_path / "raised", 1, "dBI") - read(tmp_path / "plain", 1, "dBI")
    np.testing.assert_allclose(gain_db[488], 1.5, atol=1e-4)
    np.testing.assert_allclose(gain_db[1000 - 24 - 1], 6 * (999 / 1024) ** 2, atol=1e-4)


def test_the_overview_shows_every_tile(tmp_path, paths):
    missing = [TileFailure(tile=3, reason="stage stuck " * 9, kind="missing")]
    process(write_converted(tmp_path / "c", paths, missing=missing), tmp_path / "out")
    with Image.open(tmp_path / "out" / "batch-001.jpg") as picture:
        assert picture.size[0] > 1000


def test_a_batch_without_tiles_is_an_empty_batch(tmp_path):
    outcome = process(write_converted(tmp_path / "c", {}), tmp_path / "out")
    assert outcome.tiles == Tiles()
    assert outcome.qc["snr_db_median"] is None
