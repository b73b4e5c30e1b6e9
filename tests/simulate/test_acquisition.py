import hashlib
import struct

import numpy as np
import pytest

from octflow.core.errors import SettingsError
from octflow.core.names import parse_raw_name
from octflow.simulate.acquisition import Exposure, exposures, raw_name, scan, write_raw_tile
from octflow.simulate.tiles import tile_jones, tile_spectra

FIRST = Exposure(1, 1, 1)


@pytest.fixture(scope="module")
def short(tiny):
    """One slice of one column, so that a whole scan is two small tiles."""
    row = tiny.experiment.illuminations[0].model_copy(
        update={"grid_size_x": 1, "tile_size_x_px": 6, "tile_size_y_px": 5}
    )
    experiment = tiny.experiment.model_copy(update={"illuminations": (row,)})
    return tiny.model_copy(update={"experiment": experiment, "n_slices": 1})


def of_kind(simulation, kind):
    return simulation.model_copy(update={"raw_kind": kind})


def scanned(simulation, folder, **options):
    return [path.name for path in scan(simulation, folder, **options)]


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).digest() for p in files}


def test_spectral_tile_is_a_header_and_the_counts(short, tmp_path):
    write_raw_tile(short, FIRST, tmp_path / "tile.nii")
    content = (tmp_path / "tile.nii").read_bytes()
    assert len(content) == 352 + 8192 * 6 * 5
    assert struct.unpack("<i", content[:4])[0] == 348
    assert content[344:348] == b"n+1\0"
    stored = np.frombuffer(content, "<u2", offset=352).reshape(5, 2, 6, 2048)
    np.testing.assert_array_equal(stored, tile_spectra(short, 1, 1))


def test_packed_tile_has_two_samples_in_three_bytes(short, tmp_path):
    write_raw_tile(of_kind(short, "spectral_12bit"), FIRST, tmp_path / "tile.raw")
    content = np.fromfile(tmp_path / "tile.raw", np.uint8).astype(int)
    assert content.size == 6144 * 6 * 5
    b0, b1, b2 = content.reshape(-1, 3).T
    samples = np.stack([b0 + 256 * (b1 & 15), (b1 >> 4) + 16 * b2], axis=1).ravel()
    np.testing.assert_array_equal(samples, tile_spectra(short, 1, 1).ravel())


def test_complex_tile_has_four_blocks_along_x_and_deep_samples_first(short, tmp_path):
    write_raw_tile(of_kind(short, "complex"), FIRST, tmp_path / "tile.nii")
    content = (tmp_path / "tile.nii").read_bytes()
    assert len(content) == 352 + 4 * (4 * 6) * 5 * 1000
    assert struct.unpack("<4h", content[40:48]) == (3, 24, 5, 1000)
    stored = np.frombuffer(content, "<f4", offset=352).reshape(1000, 5, 4, 6)[::-1]
    j1, j2 = tile_jones(short, 1, 1)
    blocks = (j1.real, j1.imag, j2.real, j2.imag)
    np.testing.assert_array_equal(stored, np.stack(blocks, axis=2))


def test_an_interleaved_file_holds_the_illuminations_of_its_slice_in_turn(short, tmp_path):
    row = short.experiment.illuminations[0]
    rows = (row, row.model_copy(update={"name": "tilted", "tilt_deg": -15.0}))
    experiment = short.experiment.model_copy(update={"illuminations": rows})
    several = short.model_copy(update={"experiment": experiment, "interleaved": True})
    assert [(e.mosaic, e.tile) for e in exposures(several)] == [(1, 1), (1, 2)]
    write_raw_tile(several, FIRST, tmp_path / "tile.nii")
    stored = np.fromfile(tmp_path / "tile.nii", "<u2")[176:].reshape(5, 2, 12, 2048)
    for mosaic in (1, 2):
        alone = tile_spectra(several, mosaic, 1)
        np.testing.assert_array_equal(stored[:, :, mosaic - 1 :: 2], alone)


def test_interleaved_illuminations_must_have_the_same_tiles(tiny):
    with pytest.raises(SettingsError, match="expected the same for all illuminations"):
        type(tiny).model_validate({**tiny.plain(), "interleaved": True})


def test_counter_runs_through_the_experiment_in_the_order_of_acquisition(tiny):
    listed = exposures(tiny)
    assert [e.counter for e in listed] == list(range(1, 17))
    assert [(e.mosaic, e.tile) for e in listed][3:6] == [(1, 4), (2, 1), (2, 2)]


@pytest.mark.parametrize("kind", ["spectral", "spectral_12bit", "complex"])
@pytest.mark.parametrize("style", ["counter", "stage", "cropped"])
def test_names_are_understood(tiny, kind, style):
    simulation = of_kind(tiny, kind).model_copy(update={"name_style": style})
    name = parse_raw_name(raw_name(simulation, Exposure(7, 2, 3)))
    assert (name.mosaic, name.tile, name.kind) == (2, 3, kind)


def test_older_names_carry_stage_positions(tiny):
    older = tiny.model_copy(update={"name_style": "stage"})
    expected = "mosaic_002_image_0003_x_168_y_0_z_0_r_-15_tilted_spectral_0007.nii"
    assert raw_name(older, Exposure(7, 2, 3)) == expected


def test_cropped_names_belong_to_complex_tiles(tiny):
    cropped = of_kind(tiny, "complex").model_copy(update={"name_style": "cropped"})
    assert raw_name(cropped, Exposure(7, 2, 3)) == "mosaic_002_image_0003_processed_cropped.nii"


def test_workers_and_growth_do_not_change_a_byte(short, tmp_path):
    scanned(short, tmp_path / "a", workers=1)
    scanned(short, tmp_path / "b", workers=2, grow=True)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_scan_goes_on_where_it_stopped(short, tmp_path):
    names = scanned(short, tmp_path)
    whole = digests(tmp_path)
    kept, lost = (tmp_path / "raw" / name for name in names)
    modified = kept.stat().st_mtime_ns
    lost.write_bytes(b"cut short")
    assert scanned(short, tmp_path) == names
    assert digests(tmp_path) == whole
    assert kept.stat().st_mtime_ns == modified


def test_another_simulation_is_refused(short, tmp_path):
    scanned(short, tmp_path)
    with pytest.raises(SettingsError, match="another simulation"):
        scanned(short.model_copy(update={"seed": 5}), tmp_path)


def test_pace_delays_the_second_tile(short, tmp_path):
    scanned(short, tmp_path, pace_s=0.5)
    first, second = sorted((tmp_path / "raw").iterdir())
    assert second.stat().st_ctime - first.stat().st_ctime > 0.3
