"""A volume that a killed process left is continued, and ends with the same bytes."""

import numpy as np
import pytest

from octflow.io.digest import fast_id
from octflow.io.omezarr import Plan
from octflow.io.volume_writer import write_share, write_volume

SHAPE = (32, 96, 140)


def values_at(*where):
    z, y, x = np.meshgrid(*(np.arange(w.start, w.stop) for w in where), indexing="ij")
    noise = np.sin(12.9898 * z + 78.233 * y + 37.719 * x).astype(np.float32)
    noise[(y < 40) & (x < 40)] = np.nan
    return noise


def planned(made_from="a", version="0.5"):
    return Plan(
        SHAPE,
        (0.01, 0.01, 0.0025),
        "dBI",
        chunk_px=(8, 8, 8),
        shard_px=(16, 32, 32),
        made_from=made_from,
        version=version,
    )


def write(path, block_of=values_at, made_from="a", version="0.5", shares=()):
    write_volume(path, planned(made_from, version), block_of=block_of, shares=shares)


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


def test_version_0_4_is_resumed_too(tmp_path):
    asked, path, whole = [], tmp_path / "a.ome.zarr", tmp_path / "whole.ome.zarr"
    write(whole, version="0.4")
    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted_after(20), version="0.4")
    write(path, lambda *where: asked.append(where) or values_at(*where), version="0.4")
    assert len(asked) == 2 * 3 * 5 - 20
    assert fast_id(path) == fast_id(whole)


def shares_of(folder, count, version="0.5", made_from="a"):
    paths = [folder / f".share-{number + 1}" for number in range(count)]
    for i, path in enumerate(paths):
        plan = planned(made_from, version)
        write_share(path, plan, block_of=values_at, number=i + 1, of=count)
    return paths


def never(*where):
    raise AssertionError(where)


def values_or_empty(*where):
    """Values of a shard that has none, which has no file; others are never asked for."""
    values = values_at(*where)
    return values if np.isnan(values).all() else never(*where)


@pytest.mark.parametrize("count", [1, 3])
def test_shares_put_together_are_the_volume_of_one_job(undisturbed, tmp_path, count):
    shares = shares_of(tmp_path, count)
    write(tmp_path / "a.ome.zarr", values_or_empty, shares=shares)
    assert fast_id(tmp_path / "a.ome.zarr") == undisturbed[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_shares_of_version_0_4_are_put_together(tmp_path):
    write(tmp_path / "whole.ome.zarr", version="0.4")
    write(tmp_path / "a.ome.zarr", never, version="0.4", shares=shares_of(tmp_path, 2, "0.4"))
    assert fast_id(tmp_path / "a.ome.zarr") == fast_id(tmp_path / "whole.ome.zarr")


def test_shares_do_not_overlap(tmp_path):
    found = [
        {path.relative_to(share) for path in share.rglob("c/*/*/*")}
        for share in shares_of(tmp_path, 3)
    ]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found))


def test_a_share_of_another_volume_and_one_that_is_not_there_are_done_without(
    undisturbed, tmp_path
):
    shares = [*shares_of(tmp_path, 2, made_from="b"), tmp_path / "none"]
    write(tmp_path / "a.ome.zarr", shares=shares)
    assert fast_id(tmp_path / "a.ome.zarr") == undisturbed[0]


def test_a_killed_share_is_gone_on_with(undisturbed, tmp_path):
    asked, share = [], tmp_path / "share"
    with pytest.raises(KeyboardInterrupt):
        write_share(share, planned(), block_of=interrupted_after(7), number=1, of=1)
    counted = lambda *where: asked.append(where) or values_at(*where)  # noqa: E731
    write_share(share, planned(), block_of=counted, number=1, of=1)
    assert undisturbed[1] - 7 <= len(asked) <= undisturbed[1] - 5
