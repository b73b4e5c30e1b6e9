"""A batch of tiny tiles: products, isolation, resume, determinism."""

import numpy as np
import pytest
from PIL import Image

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import TileFailure, Tiles
from octflow.io.nifti import read_nifti, read_voxel_size_mm
from octflow.io.raw import write_complex_tile
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
    assert "expected below 70 dB" in failure.reason
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
    outcome = process(converted, tmp_path / "out", min_snr_db=60)
    assert [w.split(" is ")[0] for w in outcome.warnings] == ["tile 1: snr_db", "tile 2: snr_db"]


def test_the_overview_shows_every_tile(tmp_path, paths):
    missing = [TileFailure(tile=3, reason="stage stuck " * 9, kind="missing")]
    process(write_converted(tmp_path / "c", paths, missing=missing), tmp_path / "out")
    with Image.open(tmp_path / "out" / "batch-001.jpg") as picture:
        assert picture.size[0] > 1000


def test_a_batch_without_tiles_is_an_empty_batch(tmp_path):
    outcome = process(write_converted(tmp_path / "c", {}), tmp_path / "out")
    assert outcome.tiles == Tiles()
    assert outcome.qc["snr_db_median"] is None
