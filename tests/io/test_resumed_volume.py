"""A volume that a killed process left is continued, and ends with the same bytes."""

import numpy as np
import pytest

from octflow.io.digest import fast_id
from octflow.io.omezarr import write_volume

SHAPE = (32, 96, 140)


def values_at(*where):
    z, y, x = np.meshgrid(*(np.arange(w.start, w.stop) for w in where), indexing="ij")
    noise = np.sin(12.9898 * z + 78.233 * y + 37.719 * x).astype(np.float32)
    noise[(y < 40) & (x < 40)] = np.nan
    return noise


def write(path, block_of=values_at, made_from="a"):
    write_volume(
        path,
        SHAPE,
        voxel_size_mm=(0.01, 0.01, 0.0025),
        block_of=block_of,
        name="dBI",
        chunk_px=(8, 8, 8),
        shard_px=(16, 32, 32),
        made_from=made_from,
    )


def interrupted_after(count):
    asked = []

    def block_of(*where):
        asked.append(where)
        if len(asked) > count:
            raise KeyboardInterrupt
        return values_at(*where)

    return block_of


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed") / "a.ome.zarr"
    asked = []
    write(path, lambda *where: asked.append(where) or values_at(*where))
    return fast_id(path), len(asked)


def _left(path, count=20, made_from="a"):
    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted_after(count), made_from)
    return list(path.parent.iterdir())


def test_only_unfinished_shards_are_asked_for_again(undisturbed, tmp_path):
    path, asked = tmp_path / "a.ome.zarr", []
    _left(path, 20)
    write(path, lambda *where: asked.append(where) or values_at(*where))
    empty = 2  # A shard without values has no file that would say so.
    assert undisturbed[1] - 20 <= len(asked) <= undisturbed[1] - 20 + empty
    assert fast_id(path) == undisturbed[0]


def test_what_was_made_from_something_else_is_made_anew(undisturbed, tmp_path):
    path, asked = tmp_path / "a.ome.zarr", []
    _left(path, 20, made_from="b")
    write(path, lambda *where: asked.append(where) or values_at(*where))
    assert len(asked) == undisturbed[1]
    assert fast_id(path) == undisturbed[0]


def test_a_volume_of_another_process_is_taken_over_under_a_new_name(undisturbed, tmp_path):
    path, asked = tmp_path / "a.ome.zarr", []
    (left,) = _left(path, 20)
    left.rename(tmp_path / ".part-99999999-a.ome.zarr")
    write(path, lambda *where: asked.append(where) or values_at(*where))
    assert len(asked) < undisturbed[1]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_finished_volume_is_made_anew(undisturbed, tmp_path):
    path, asked = tmp_path / "a.ome.zarr", []
    write(path)
    write(path, lambda *where: asked.append(where) or values_at(*where))
    assert len(asked) == undisturbed[1]


def test_what_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "a.ome.zarr", lambda *_: 1 / 0)
    assert list(tmp_path.iterdir()) == []
