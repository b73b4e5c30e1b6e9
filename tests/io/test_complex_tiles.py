"""Complex tiles written and read in parts."""

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.complex_tiles import (
    examine_complex_tile,
    read_complex_lines,
    read_complex_tile,
    write_complex_lines,
    write_complex_tile,
)
from octflow.io.digest import fast_id, raw_id
from octflow.io.nifti import write_nifti

from bytes_read import BytesRead

VOXEL = (0.01, 0.01, 0.0025)
N_Z, N_Y, N_X = 7, 37, 3


@pytest.fixture
def jones():
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(2, N_Z, N_Y, N_X, 2)).astype(np.float32)
    return parts.view(np.complex64)[..., 0]


def blocks(jones, *firsts):
    for first in firsts:
        where = slice(first, min(first + 16, N_Y))
        yield where, jones[:, :, where]


def test_the_file_is_the_one_that_nibabel_writes(jones, tmp_path):
    deep_first = jones[:, ::-1]
    real = [part for channel in deep_first for part in (channel.real, channel.imag)]
    write_nifti(tmp_path / "a.nii", np.concatenate(real, axis=-1), voxel_size_mm=VOXEL)
    write_complex_tile(tmp_path / "b.nii", jones, voxel_size_mm=VOXEL)
    assert (tmp_path / "a.nii").read_bytes() == (tmp_path / "b.nii").read_bytes()


def test_parts_in_any_order_make_the_same_file(jones, tmp_path):
    write_complex_tile(tmp_path / "a.nii", jones, voxel_size_mm=VOXEL)
    parts = blocks(jones, 16, 32, 0)
    write_complex_lines(tmp_path / "b.nii", parts, shape=(N_Z, N_Y, N_X), voxel_size_mm=VOXEL)
    assert (tmp_path / "a.nii").read_bytes() == (tmp_path / "b.nii").read_bytes()


def test_what_is_written_is_read_whole_and_in_parts(jones, tmp_path):
    write_complex_tile(tmp_path / "c.nii", jones, voxel_size_mm=VOXEL)
    np.testing.assert_array_equal(read_complex_tile(tmp_path / "c.nii", N_X, N_Y), jones)
    for where, part in read_complex_lines(tmp_path / "c.nii", N_X, N_Y):
        np.testing.assert_array_equal(part, jones[:, :, where])
        assert part.flags.c_contiguous


def test_a_writer_that_fails_leaves_nothing(jones, tmp_path):
    def failing():
        yield from blocks(jones, 0)
        raise DataError("tile", found="an end", expected="more")

    with pytest.raises(DataError):
        write_complex_lines(
            tmp_path / "c.nii", failing(), shape=(N_Z, N_Y, N_X), voxel_size_mm=VOXEL
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_is_named(jones, tmp_path):
    path = tmp_path / "c.nii"
    write_complex_tile(path, jones, voxel_size_mm=VOXEL)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"c.nii: found 12427 bytes|expected voxels"):
        read_complex_tile(path, N_X, N_Y)


def test_samples_that_are_not_finite_are_counted(jones, tmp_path):
    jones[0, 2, 3, 1] = np.nan
    jones[1, 2, 3, 1] = 1j * np.inf
    write_complex_tile(tmp_path / "c.nii", jones, voxel_size_mm=VOXEL)
    bad = int(np.count_nonzero(~np.isfinite(jones.view(np.float32))))
    with pytest.raises(DataError, match=f"found {bad} NaN or infinite samples"):
        examine_complex_tile(tmp_path / "c.nii", N_X, N_Y)


def test_a_delivered_tile_is_read_once_for_both_digests(jones, tmp_path):
    path = tmp_path / "c.nii"
    write_complex_tile(path, jones.repeat(100, axis=1), voxel_size_mm=VOXEL)
    with BytesRead() as read:
        found = examine_complex_tile(path, N_X, N_Y)
    assert found == (raw_id(path.read_bytes()), fast_id(path))
    assert read.bytes == pytest.approx(path.stat().st_size, rel=0.03)


def test_a_delivered_tile_cut_short_is_named(jones, tmp_path):
    path = tmp_path / "c.nii"
    write_complex_tile(path, jones, voxel_size_mm=VOXEL)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="found 2 samples less"):
        examine_complex_tile(path, N_X, N_Y)
