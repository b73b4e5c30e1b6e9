"""A volume made again keeps the shards that would be the same, and ends with the same bytes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from octflow.io.digest import fast_id
from octflow.io.omezarr import Plan, read_volume
from octflow.io.volume_writer import write_volume

PLANE = (40, 90)
SLAB = 24
"""Depths that hang on one letter; bands of shards are 16 deep."""


def values_at(text, z, y, x):
    """Noise that differs from letter to letter; a corner without values."""
    z, y, x = np.meshgrid(*(np.arange(w.start, w.stop) for w in (z, y, x)), indexing="ij")
    letter = np.array([ord(c) for c in text])[z // SLAB]
    noise = np.sin(12.9898 * z + 78.233 * y + 37.719 * x + letter).astype(np.float32)
    noise[(y < 36) & (x < 40)] = np.nan
    return noise


def write(path, text, threads=1, fail_after=None):
    """Write a slab per letter; return the shards that were asked for."""
    asked = []

    def block_of(*where):
        if len(asked) == fail_after:
            raise KeyboardInterrupt
        asked.append(tuple(w.start for w in where))
        return values_at(text, *where)

    shape = (SLAB * len(text), *PLANE)
    plan = Plan(shape, (0.01, 0.01, 0.0025), "dBI", chunk_px=(8, 8, 8), shard_px=(16, 32, 32))
    write_volume(
        path, plan, block_of=block_of, threads=threads,
        made_from=lambda z: text[z.start // SLAB : -(-z.stop // SLAB)],
    )  # fmt: skip
    return asked


def scratch(folder, text):
    path = folder / "scratch.ome.zarr"
    write(path, text)
    return fast_id(path)


@pytest.mark.parametrize("text", ["abcd", "abc", "axc", "ab", "xbc", "abcdefgh"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_bytes_are_those_from_scratch(text, threads, tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    write(path, text, threads)
    assert fast_id(path) == scratch(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "depths"), [("abc", set()), ("abcd", {64, 80}), ("axc", {16, 32}), ("xbc", {0, 16})]
)
def test_only_shards_that_changed_are_asked_for(text, depths, tmp_path):
    path = tmp_path / "a.ome.zarr"
    per_band = 2 * 3
    assert len(write(path, "abc")) == 5 * per_band
    asked = write(path, text)
    assert {z for z, _, _ in asked} == depths
    assert len(asked) == len(depths) * per_band


def test_shards_that_did_not_change_are_the_same_files(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    before = {p.relative_to(path): p.stat().st_ino for p in (path / "0" / "c").rglob("*/*/*")}
    write(path, "abcd")
    after = {name: (path / name).stat().st_ino for name in before}
    changed = {name.parts[2] for name in before if before[name] != after[name]}
    assert changed == {"4"}


def test_an_interrupted_change_leaves_the_former_volume_and_is_gone_on_with(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    former = fast_id(path)
    with pytest.raises(KeyboardInterrupt):
        write(path, "abcd", fail_after=8)
    assert fast_id(path) == former
    assert len(write(path, "abcd")) <= 12 - 8 + 2
    assert fast_id(path) == scratch(tmp_path, "abcd")


def test_what_was_begun_of_another_change_is_not_taken(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    with pytest.raises(KeyboardInterrupt):
        write(path, "abcd", fail_after=8)
    write(path, "abce")
    assert fast_id(path) == scratch(tmp_path, "abce")


@pytest.mark.parametrize("after", [1, 7, 11])
def test_a_killed_process_loses_nothing(after, tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    former = fast_id(path)
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "import test_volume_reuse as t; was, n = t.values_at, []\n"
        "def values_at(*where):\n"
        "    n.append(1)\n"
        f"    return os.kill(os.getpid(), signal.SIGKILL) if len(n) > {after} else was(*where)\n"
        "t.values_at = values_at; t.write(Path(sys.argv[2]), 'abcd')\n"
    )
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", code, Path(__file__).parent, path],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert fast_id(path) == former
    write(path, "abcd")
    assert fast_id(path) == scratch(tmp_path, "abcd")


def test_a_band_that_lost_a_file_is_made_anew(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    whole = fast_id(path)
    (path / "0" / "c" / "2" / "1" / "2").unlink()
    assert {z for z, _, _ in write(path, "abc")} == {32}
    assert fast_id(path) == whole


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[[1]]", '[[["a", 1]]]'])
def test_digests_that_are_wrong_only_cost_time(content, tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    whole = fast_id(path)
    (path / "0" / "bands.json").write_text(content)
    assert len(write(path, "abc")) == 30
    assert fast_id(path) == whole


def test_the_former_volume_is_not_written_to(tmp_path):
    path, second = tmp_path / "a.ome.zarr", tmp_path / "kept.ome.zarr"
    write(path, "abc")
    subprocess.run(["cp", "-rl", path, second], check=True)
    former = fast_id(second)
    write(path, "axcd")
    assert fast_id(second) == former


def test_values_are_those_of_the_letters(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abc")
    write(path, "abxd")
    expected = values_at("abxd", slice(0, 96), slice(0, 40), slice(0, 90))
    np.testing.assert_array_equal(read_volume(path)[:], expected)


def test_zarr_finds_nothing_in_it_but_the_levels(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write(path, "abcdefgh")
    assert sorted(name for name, _ in zarr.open_group(path, mode="r").members()) == ["0", "1"]
