"""Complex tiles reconstructed while their spectra are read."""

from dataclasses import replace

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.core.record import Product
from octflow.core.spectra.reconstruct import complex_tile
from octflow.io.digest import raw_id
from octflow.io.raw import Lanes, pack_12bit, read_spectra
from octflow.io.spectral_tiles import SpectralTile, check_spectra, read_reconstruction

N_X, N_Y = 3, 18
RECIPE = read_reconstruction(Instrument(), "none")


@pytest.fixture
def counts():
    shape = (N_Y, 2, N_X, 2048)
    return np.random.default_rng(0).integers(0, 4096, shape, dtype=np.uint16)


@pytest.fixture
def path(tmp_path, counts):
    path = tmp_path / "mosaic_001_image_0001_spectral_0001.nii"
    path.write_bytes(bytes(352) + counts.tobytes())
    return path


def tile_of(path, kind="spectral", known="stat:1"):
    listed = Product(id=known, path=str(path), bytes=path.stat().st_size, role="raw", tile=1)
    return SpectralTile(listed, kind, N_X, N_Y, RECIPE, full_scale_counts=4000)


def whole(tile):
    jones = np.empty((2, 1000, N_Y, N_X), np.complex64)
    for where, part in tile.lines():
        assert part.flags.c_contiguous
        jones[:, :, where] = part
    return jones


def test_blocks_make_the_whole_tile(path, counts):
    expected = complex_tile(counts, RECIPE.tables, RECIPE.phasor)
    np.testing.assert_array_equal(whole(tile_of(path)), expected)


def test_packed_spectra_make_the_same_tile(path, counts, tmp_path):
    packed = tmp_path / "mosaic_001_image_0001_spectral_0001.raw"
    packed.write_bytes(pack_12bit(counts).tobytes())
    np.testing.assert_array_equal(whole(tile_of(packed, "spectral_12bit")), whole(tile_of(path)))


@pytest.mark.parametrize("kind", ["spectral", "spectral_12bit"])
@pytest.mark.parametrize("own", [0, 1, 2])
def test_an_interleaved_file_gives_what_a_file_of_its_own_would(tmp_path, kind, own):
    # Illuminations differ in level: what is common to A-lines must not be mixed.
    rng = np.random.default_rng(1)
    several = [rng.integers(0, 1300 * n, (N_Y, 2, N_X, 2048), dtype=np.uint16) for n in (1, 2, 3)]
    written = np.empty((N_Y, 2, 3 * N_X, 2048), np.uint16)
    for lane, counts in enumerate(several):
        written[:, :, lane::3] = counts
    path = tmp_path / "tile"
    packed = kind == "spectral_12bit"
    path.write_bytes(pack_12bit(written).tobytes() if packed else bytes(352) + written.tobytes())
    tile = replace(tile_of(path, kind), lanes=Lanes(own, 3))
    expected = complex_tile(several[own], RECIPE.tables, RECIPE.phasor)
    np.testing.assert_array_equal(whole(tile), expected)
    assert tile.inputs[0].id == raw_id(path.read_bytes())
    assert tile.qc == {"saturated_fraction": np.mean(several[own] >= 4000)}


def test_an_interleaved_file_without_signal_in_one_lane_is_refused_for_that_lane(tmp_path, counts):
    written = np.full((N_Y, 2, 2 * N_X, 2048), 7, np.uint16)
    written[:, :, 1::2] = counts
    path = tmp_path / "tile"
    path.write_bytes(bytes(352) + written.tobytes())
    check_spectra(path, "spectral", N_X, N_Y, lanes=Lanes(1, 2))
    with pytest.raises(DataError, match="found all samples 7"):
        check_spectra(path, "spectral", N_X, N_Y, lanes=Lanes(0, 2))


def test_an_interleaved_file_of_another_size_is_refused(path):
    with pytest.raises(DataError, match=r"found 442720 bytes, expected 1769824 bytes"):
        check_spectra(path, "spectral", N_X, N_Y, lanes=Lanes(0, 4))


def test_digest_and_saturation_come_with_the_last_block(path, counts):
    tile = tile_of(path)
    whole(tile)
    assert tile.inputs[0].id == raw_id(path.read_bytes())
    assert tile.qc == {"saturated_fraction": np.mean(counts >= 4000)}


def test_other_bytes_than_recorded_are_refused(path):
    with pytest.raises(DataError, match=r"found sha256:.*expected sha256:000"):
        whole(tile_of(path, known="sha256:" + 64 * "0"))


def test_a_file_cut_while_it_is_read_is_named(path):
    lines = read_spectra(path, "spectral", N_X, N_Y, block_lines=16)
    next(lines)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 9000)
    with pytest.raises(DataError, match="an end at byte 433720, expected more spectra"):
        next(lines)


@pytest.mark.parametrize("line", [0, 17])
def test_signal_in_any_b_line_is_signal(path, line):
    counts = np.full((N_Y, 2, N_X, 2048), 7, np.uint16)
    counts[line, 1, 2, 2047] = 8
    path.write_bytes(bytes(352) + counts.tobytes())
    check_spectra(path, "spectral", N_X, N_Y)
    whole(tile_of(path))


def test_spectra_without_signal_are_refused_at_the_end(path):
    path.write_bytes(bytes(352) + np.full((N_Y, 2, N_X, 2048), 7, "<u2").tobytes())
    for refused in (
        lambda: check_spectra(path, "spectral", N_X, N_Y),
        lambda: whole(tile_of(path)),
    ):
        with pytest.raises(DataError, match="found all samples 7, expected interference fringes"):
            refused()
