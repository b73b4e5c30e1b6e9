import numpy as np
import pytest
import zarr

from octflow.io.behind import Behind
from octflow.io.shards import CODEC, write_shard

CHUNK, SHARD = (4, 8, 8), (8, 16, 24)


@pytest.fixture
def array(tmp_path):
    return zarr.create_array(
        tmp_path / "a",
        shape=(8, 30, 40),
        chunks=CHUNK,
        shards=SHARD,
        dtype="float32",
        fill_value=np.nan,
        compressors=CODEC,
    )


def values(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def write(array, index, block):
    path = array.store.root.joinpath("c", *map(str, index))
    with Behind() as behind:
        write_shard(path, block, chunk_px=CHUNK, shard_px=SHARD, behind=behind)
    return path


def test_zarr_reads_a_shard_back(array):
    block = values(SHARD)
    block[:4, :8, 8:16] = np.nan
    block[5, 3, 2] = np.nan
    write(array, (0, 0, 0), block)
    np.testing.assert_array_equal(array[:, :16, :24], block)


def test_the_end_of_a_volume_may_be_smaller_than_its_shard(array):
    block = values((8, 14, 16))
    write(array, (0, 1, 1), block)
    np.testing.assert_array_equal(array[:, 16:, 24:], block)
    assert np.isnan(array[:, :16]).all()


def test_a_part_of_a_larger_array_is_written_as_its_copy(array):
    whole = values((10, 40, 50))
    write(array, (0, 0, 0), whole[1:9, 3:19, 5:29])
    np.testing.assert_array_equal(array[:, :16, :24], whole[1:9, 3:19, 5:29])


def test_zarr_may_go_on_writing_what_was_written_here(array):
    write(array, (0, 0, 0), values(SHARD))
    array[2, 3, 4] = 7
    assert array[2, 3, 4] == 7
    np.testing.assert_array_equal(array[3:, :16, :24], values(SHARD)[3:])


def test_a_chunk_without_values_takes_no_space(array):
    block = np.full(SHARD, np.nan, np.float32)
    block[0, 0, 0] = 1
    size = write(array, (0, 0, 0), block).stat().st_size
    assert size < 400
    assert array[0, 0, 0] == 1


def test_a_shard_without_values_has_no_file(array):
    assert not write(array, (0, 0, 0), np.full(SHARD, np.nan, np.float32)).exists()
    assert np.isnan(array[:]).all()
