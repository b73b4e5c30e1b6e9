import gzip

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.acquisition import list_raw_tiles
from octflow.io.complex_tiles import read_complex_tile, write_complex_tile
from octflow.io.raw import (
    check_raw_size,
    expected_bytes,
    pack_12bit,
    read_raw_bytes,
    read_spectra,
    read_tile,
    spectra_of,
    unpack_12bit,
)

N_X, N_Y = 3, 2


@pytest.fixture
def counts():
    return np.random.default_rng(0).integers(0, 4096, (N_Y, 2, N_X, 2048), dtype=np.uint16)


def test_12bit_golden_bytes():
    packed = np.frombuffer(bytes.fromhex("FF1F00BC3A12"), np.uint8)
    assert unpack_12bit(packed).tolist() == [4095, 1, 2748, 291]


def test_packing_is_undone_by_unpacking(counts):
    np.testing.assert_array_equal(unpack_12bit(pack_12bit(counts)), counts.ravel())


@pytest.mark.parametrize("kind", ["spectral", "spectral_12bit"])
def test_spectra_are_stored_by_b_line_channel_a_line_and_sample(counts, kind, tmp_path):
    path = tmp_path / "tile"
    body = counts.tobytes() if kind == "spectral" else pack_12bit(counts).tobytes()
    path.write_bytes((bytes(352) if kind == "spectral" else b"") + body)
    check_raw_size(path, kind, N_X, N_Y)
    np.testing.assert_array_equal(spectra_of(read_raw_bytes(path), kind, N_X, N_Y), counts)


def compressed(path, content):
    """Write a tile as the archive has it: a row of gzip members."""
    half = len(content) // 2
    path.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))
    return path


def read_by_blocks(path):
    return [(c.tobytes(), s.copy()) for _, c, s in read_spectra(path, "spectral", N_X, N_Y, **ONE)]


ONE = {"block_lines": 1}


def test_a_compressed_tile_is_read_like_the_tile_in_it(counts, tmp_path):
    content = bytes(352) + counts.tobytes()
    plain, packed = tmp_path / "tile.nii", compressed(tmp_path / "tile.nii.gz", content)
    plain.write_bytes(content)
    check_raw_size(packed, "spectral", N_X, N_Y)
    (first, second), (one, two) = read_by_blocks(packed), read_by_blocks(plain)
    assert (first[0] + second[0], one[0] + two[0]) == (content, content)
    np.testing.assert_array_equal([first[1], second[1]], [one[1], two[1]])
    np.testing.assert_array_equal(read_tile(packed, "spectral", N_X, N_Y), counts)


@pytest.mark.parametrize(("size", "found"), [(49503, "an end at byte 49503"), (49505, "more spec")])
def test_a_compressed_tile_of_another_size_is_refused_when_it_has_been_read(size, found, tmp_path):
    packed = compressed(tmp_path / "tile.nii.gz", bytes(size))
    with pytest.raises(DataError, match=rf"tile.nii.gz: found {found}"):
        read_by_blocks(packed)
    with pytest.raises(DataError, match=rf"found {size} bytes, expected 49504 bytes"):
        read_tile(packed, "spectral", N_X, N_Y)


def test_a_damaged_compressed_tile_is_refused(counts, tmp_path):
    packed = compressed(tmp_path / "tile.nii.gz", bytes(352) + counts.tobytes())
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"tile.nii.gz: found damaged gzip"):
        read_by_blocks(packed)


@pytest.mark.parametrize(
    ("kind", "size"), [("spectral", 1003520352), ("spectral_12bit", 752640000)]
)
def test_expected_sizes_are_the_published_ones(kind, size):
    assert expected_bytes(kind, 350, 350) == size


@pytest.mark.parametrize("size", [0, 352, 49503, 49505])
def test_a_file_of_another_size_is_refused_with_both_numbers(size, tmp_path):
    path = tmp_path / "tile.nii"
    path.write_bytes(bytes(size))
    with pytest.raises(DataError, match=rf"tile.nii: found {size} bytes, expected 49504 bytes"):
        check_raw_size(path, "spectral", N_X, N_Y)


def test_complex_tiles_are_four_blocks_along_x_deep_first(tmp_path):
    rng = np.random.default_rng(1)
    jones = rng.normal(size=(2, 5, N_Y, N_X, 2)).astype(np.float32).view(np.complex64)[..., 0]
    write_complex_tile(tmp_path / "c.nii", jones, voxel_size_mm=(0.01, 0.01, 0.0025))
    np.testing.assert_array_equal(read_complex_tile(tmp_path / "c.nii", N_X, N_Y), jones)
    stored = np.fromfile(tmp_path / "c.nii", np.float32)[88:].reshape(5, N_Y, 4 * N_X)
    np.testing.assert_array_equal(stored[0, :, 3 : 2 * 3], jones[0, -1].imag)
    np.testing.assert_array_equal(stored[-1, :, 9:], jones[1, 0].imag)


def test_a_complex_tile_of_another_shape_is_refused(tmp_path):
    jones = np.zeros((2, 5, N_Y, N_X), np.complex64)
    write_complex_tile(tmp_path / "c.nii", jones, voxel_size_mm=(1, 1, 1))
    with pytest.raises(DataError, match=r"found shape \(12, 2, 5\), expected \(16, 2, n_z\)"):
        read_complex_tile(tmp_path / "c.nii", 4, N_Y)


def test_only_raw_tiles_are_listed(tmp_path):
    for name in ("mosaic_001_image_0002_spectral_0001.nii", "notes.txt", ".part-1-x.nii"):
        (tmp_path / name).touch()
    assert [t.name.tile for t in list_raw_tiles(tmp_path)] == [2]
    assert list(list_raw_tiles(tmp_path / "not-there-yet")) == []
