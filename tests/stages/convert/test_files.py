"""A batch of tiny tiles: isolation, resume, formats, determinism."""

import os

import numpy as np
import pytest

from octflow.core.errors import DataError, OctflowError, TooManyFailuresError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Product, TileFailure, Tiles
from octflow.io.complex_tiles import read_complex_tile, write_complex_tile
from octflow.io.digest import fast_id, raw_id
from octflow.io.raw import pack_12bit
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings

from flags import write_flag

N_X, N_Y = 8, 6
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N_X, tile_size_y_px=N_Y)
ZERO = "sha256:" + 64 * "0"


def counts(tile):
    shape = (N_Y, 2, N_X, 2048)
    return np.random.default_rng(tile).integers(0, 4096, shape).astype("<u2")


def raw_product(path, tile):
    stat = path.stat()
    stat_id = f"stat:{stat.st_size}-{stat.st_mtime_ns}"
    return Product(id=stat_id, path=str(path), bytes=stat.st_size, role="raw", tile=tile)


UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}


def write_started(path, raw, kind="spectral", missing=()):
    return write_flag(
        path,
        "start_batch",
        inputs=[raw_product(p, t) for t, p in raw.items()],
        tiles=Tiles(ok=list(raw), missing=list(missing)),
        parameters={"acquisition": {"format": kind}},
        unit=UNIT,
    )


@pytest.fixture
def raw(tmp_path):
    paths = {t: tmp_path / f"mosaic_001_image_{t:04d}_spectral_{t:04d}.nii" for t in (1, 2, 3)}
    for tile, path in paths.items():
        path.write_bytes(bytes(352) + counts(tile).tobytes())
    return paths


def convert(started, folder, *, threads=1, instrument=None, **settings):
    return convert_batch(
        started=started,
        folder=folder,
        illumination=ROW,
        instrument=instrument or Instrument(),
        settings=ConvertSettings(**settings),
        threads=threads,
    )


def tile_path(folder, tile):
    return folder / f"mosaic_001_image_{tile:04d}_complex.nii"


def test_every_raw_tile_gives_a_complex_tile(tmp_path, raw):
    outcome = convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    assert outcome.tiles.ok == [1, 2, 3]
    assert [p.role for p in outcome.outputs] == 3 * ["complex"]
    jones = read_complex_tile(tile_path(tmp_path / "out", 2), N_X, N_Y)
    assert jones.shape == (2, 1000, N_Y, N_X)
    assert np.abs(jones).max() > 1e4


def test_raw_tiles_are_listed_with_the_sha256_of_their_bytes(tmp_path, raw):
    outcome = convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    listed = {p.tile: p.id for p in outcome.inputs if p.role == "raw"}
    assert listed == {t: raw_id(path.read_bytes()) for t, path in raw.items()}


def test_a_tile_cut_short_fails_alone_and_says_why(tmp_path, raw):
    raw[2].write_bytes(raw[2].read_bytes()[:-1000])
    outcome = convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    assert outcome.tiles.ok == [1, 3]
    (failure,) = outcome.tiles.failed
    whole = 352 + 8192 * N_X * N_Y
    assert failure.tile == 2
    assert failure.reason.startswith(
        f"{raw[2]}: found {whole - 1000} bytes, expected {whole} bytes"
    )


def test_tiles_declared_missing_stay_missing(tmp_path, raw):
    missing = [TileFailure(tile=4, reason="stage stuck", kind="missing")]
    outcome = convert(write_started(tmp_path / "s", raw, missing=missing), tmp_path / "out")
    assert outcome.tiles.missing == missing


def test_more_failures_than_accepted_stop_the_batch(tmp_path, raw):
    raw[2].write_bytes(b"")
    with pytest.raises(TooManyFailuresError, match="1 tiles failed, at most 0 accepted"):
        convert(write_started(tmp_path / "s", raw), tmp_path / "out", max_failed_tiles=0)


def test_a_resumed_batch_redoes_nothing(tmp_path, raw):
    started = write_started(tmp_path / "s", raw)
    first = convert(started, tmp_path / "out")
    times = [tile_path(tmp_path / "out", t).stat().st_mtime_ns for t in raw]
    assert convert(started, tmp_path / "out") == first
    assert [tile_path(tmp_path / "out", t).stat().st_mtime_ns for t in raw] == times


def test_a_resumed_batch_redoes_exactly_the_changed_tile(tmp_path, raw):
    convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    times = {t: tile_path(tmp_path / "out", t).stat().st_mtime_ns for t in raw}
    raw[2].write_bytes(bytes(352) + counts(9).tobytes())
    os.utime(raw[2], ns=(1, 1))
    convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    changed = [t for t in raw if tile_path(tmp_path / "out", t).stat().st_mtime_ns != times[t]]
    assert changed == [2]


def test_other_settings_redo_all_tiles(tmp_path, raw):
    started = write_started(tmp_path / "s", raw)
    plain = convert(started, tmp_path / "out")
    tapered = convert(started, tmp_path / "out", window="hann")
    assert all(a.id != b.id for a, b in zip(plain.outputs, tapered.outputs, strict=True))


def test_threads_do_not_change_a_byte(tmp_path, raw):
    started = write_started(tmp_path / "s", raw)
    one = convert(started, tmp_path / "one", threads=1)
    two = convert(started, tmp_path / "two", threads=2)
    assert [p.id for p in one.outputs] == [p.id for p in two.outputs]


def test_packed_spectra_give_the_same_tile(tmp_path, raw):
    packed = {1: tmp_path / "mosaic_001_image_0001_spectral_0001.raw"}
    packed[1].write_bytes(pack_12bit(counts(1)).tobytes())
    plain = convert(write_started(tmp_path / "s", {1: raw[1]}), tmp_path / "plain")
    started = write_started(tmp_path / "s12", packed, kind="spectral_12bit")
    assert convert(started, tmp_path / "packed").outputs[0].id == plain.outputs[0].id


@pytest.mark.parametrize("level", [0, 4095], ids=["zeros", "saturated"])
def test_a_tile_without_signal_is_refused(tmp_path, raw, level):
    raw[1].write_bytes(bytes(352) + np.full((N_Y, 2, N_X, 2048), level, "<u2").tobytes())
    outcome = convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    expected = f"found all samples {level}, expected interference fringes"
    assert expected in outcome.tiles.failed[0].reason


def test_saturation_is_measured_and_warned_of(tmp_path, raw):
    clipped = np.minimum(counts(1), 3000)
    raw[1].write_bytes(bytes(352) + clipped.tobytes())
    started = write_started(tmp_path / "s", {1: raw[1]})
    outcome = convert(started, tmp_path / "out", full_scale_counts=3000)
    assert outcome.qc["saturated_fraction"] == pytest.approx(np.mean(clipped == 3000))
    assert "tile 1: 26" in outcome.warnings[0]


@pytest.fixture
def delivered(tmp_path):
    rng = np.random.default_rng(0)
    jones = rng.normal(size=(2, 1000, N_Y, N_X, 2)).astype(np.float32).view(np.complex64)[..., 0]
    path = tmp_path / "mosaic_001_image_0001_processed.nii"
    write_complex_tile(path, jones, voxel_size_mm=(0.01, 0.01, 0.0025))
    return path, jones


def test_a_delivered_complex_tile_is_linked(tmp_path, delivered):
    path, _ = delivered
    path.chmod(0o444)
    started = write_started(tmp_path / "s", {1: path}, kind="complex")
    outcome = convert(started, tmp_path / "out")
    link = tile_path(tmp_path / "out", 1)
    assert link.is_symlink()
    assert link.readlink() == path.resolve()
    assert outcome.outputs[0].id == fast_id(path)


def test_a_delivered_complex_tile_with_nan_is_refused(tmp_path, delivered):
    path, jones = delivered
    jones[0, 5, 2, 3] = np.nan
    write_complex_tile(path, jones, voxel_size_mm=(0.01, 0.01, 0.0025))
    started = write_started(tmp_path / "s", {1: path}, kind="complex")
    outcome = convert(started, tmp_path / "out")
    assert "found 1 NaN or infinite samples" in outcome.tiles.failed[0].reason
    assert not tile_path(tmp_path / "out", 1).exists()


@pytest.mark.parametrize("n", [2048, 4096])
def test_dispersion_of_a_known_length_is_used_and_listed(tmp_path, raw, n):
    path = tmp_path / "dispersion.bin"
    np.linspace(0, 9, n).tofile(path)
    started = write_started(tmp_path / "s", {1: raw[1]})
    outcome = convert(started, tmp_path / "out", instrument=Instrument(dispersion_file=str(path)))
    assert outcome.inputs[-1].role == "dispersion"
    assert outcome.inputs[-1].id == fast_id(path)


def test_preset_and_calibration_are_listed(tmp_path, raw):
    (tmp_path / "lab.yaml").write_text("instrument: {}")
    (tmp_path / "table.txt").write_text("1150 1 1")
    paths = {"preset": "lab.yaml", "calibration_file": "table.txt"}
    known = Instrument(**{k: str(tmp_path / name) for k, name in paths.items()})
    known = known.model_copy(update={"calibration_residual_nm": 0.02})
    started = write_started(tmp_path / "s", {1: raw[1]})
    outcome = convert(started, tmp_path / "out", instrument=known)
    listed = {p.role: p.id for p in outcome.inputs if p.tile is None}
    expected = {"instrument": fast_id(tmp_path / "lab.yaml")}
    assert listed == expected | {"calibration": fast_id(tmp_path / "table.txt")}
    assert outcome.qc["calibration_residual_nm"] == 0.02


def test_changed_dispersion_redoes_the_tiles(tmp_path, raw):
    path = tmp_path / "dispersion.bin"
    started = write_started(tmp_path / "s", {1: raw[1]})
    ids = set()
    for scale in (1, 2):
        (scale * np.linspace(-1, 1, 2048) ** 2).tofile(path)
        instrument = Instrument(dispersion_file=str(path))
        ids.add(convert(started, tmp_path / "out", instrument=instrument).outputs[0].id)
    assert len(ids) == 2


def test_dispersion_of_another_length_is_refused(tmp_path, raw):
    path = tmp_path / "dispersion.bin"
    np.zeros(1024).tofile(path)
    message = "found 8192 bytes, which are 1024 values, expected 2048 or 4096"
    with pytest.raises(DataError, match=message):
        convert(
            write_started(tmp_path / "s", raw),
            tmp_path / "out",
            instrument=Instrument(dispersion_file=str(path)),
        )


def test_a_missing_dispersion_file_is_refused(tmp_path, raw):
    with pytest.raises(DataError, match="found no file"):
        convert(
            write_started(tmp_path / "s", raw),
            tmp_path / "out",
            instrument=Instrument(dispersion_file=str(tmp_path / "none.bin")),
        )


def test_raw_tiles_are_never_changed(tmp_path, raw):
    before = {t: (path.read_bytes(), path.stat().st_mtime_ns) for t, path in raw.items()}
    convert(write_started(tmp_path / "s", raw), tmp_path / "out")
    assert {t: (p.read_bytes(), p.stat().st_mtime_ns) for t, p in raw.items()} == before


def test_a_failure_that_may_pass_stops_the_batch(tmp_path, raw):
    (tile_path(tmp_path / "out", 1) / "a folder where a file should be").mkdir(parents=True)
    with pytest.raises(OctflowError, match=r"tile 1: .*found is a directory"):
        convert(write_started(tmp_path / "s", raw), tmp_path / "out", retries={"attempts": 1})
