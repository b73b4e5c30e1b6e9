"""Blocks are those that zarr-python reads, in whatever form the volume is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.omezarr import Plan, read_volume
from octflow.io.shard_reader import Kept, ShardedVolume, open_volume
from octflow.io.volume_writer import write_volume

SHAPE = (37, 70, 90)


def values_at(*where):
    z, y, x = np.meshgrid(*(np.arange(w.start, w.stop) for w in where), indexing="ij")
    noise = np.sin(12.9898 * z + 78.233 * y + 37.719 * x).astype(np.float32)
    noise[(y < 34) & (x < 50)] = np.nan
    return noise


@pytest.fixture(scope="module", params=["0.5", "0.4"])
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("volume") / "a.ome.zarr"
    form = {"chunk_px": (8, 8, 8), "shard_px": (16, 32, 32), "version": request.param}
    write_volume(path, Plan(SHAPE, (1, 1, 1), "a", **form), block_of=values_at)
    return path


def boxes(count=20):
    rng = np.random.default_rng(0)
    for _ in range(count):
        ends = [np.sort(rng.choice(n + 1, 2, replace=False)) for n in SHAPE]
        yield tuple(slice(int(a), int(b)) for a, b in ends)


@pytest.mark.parametrize("room", [1, 10, 1000])
def test_blocks_are_those_of_zarr(path, room):
    source, expected = open_volume(path, Kept(room)), read_volume(path)
    for where in [*boxes(), tuple(slice(0, n) for n in SHAPE)]:
        np.testing.assert_array_equal(source[where], expected[where])


def test_shards_are_read_directly_and_other_forms_are_not(path):
    direct = isinstance(open_volume(path, Kept(1)), ShardedVolume)
    assert direct == (path / "zarr.json").exists()
    assert open_volume(path, Kept(1)).shape == SHAPE


def test_threads_share_what_is_kept(path):
    source, whole = open_volume(path, Kept(7)), read_volume(path)[:]
    where = list(boxes(40))
    with ThreadPoolExecutor(4) as pool:
        for one, block in zip(where, pool.map(source.__getitem__, where), strict=True):
            np.testing.assert_array_equal(block, whole[one])


def test_what_is_read_does_not_change_with_what_is_done_to_it(path):
    source, where = open_volume(path, Kept(1000)), (slice(0, 8), slice(40, 48), slice(56, 64))
    block = source[where]
    before = np.array(block)
    if isinstance(source, ShardedVolume):
        block += 1
    np.testing.assert_array_equal(source[where], before)


def test_the_chunk_asked_for_longest_ago_makes_room():
    kept, chunk = Kept(2), np.zeros((1, 1, 1), np.float32)
    for key in ("a", "b"):
        kept.keep(key, chunk)
    kept.find("a")
    kept.keep("c", None)
    assert [kept.find(key)[0] for key in ("a", "b", "c")] == [True, False, True]


def test_no_volume_is_named(tmp_path):
    with pytest.raises(DataError, match="expected a Zarr array"):
        open_volume(tmp_path, Kept(1))
