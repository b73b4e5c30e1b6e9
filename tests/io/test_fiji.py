"""Fiji is run through a stand-in: its command line, its macro, its files."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from octflow.core.errors import DataError, EstimateError, SettingsError
from octflow.io.fiji import find_with_fiji

STAND_IN = Path(__file__).parents[1] / "shared" / "fiji_stand_in.py"
STEP = 36
GRID = {1: (1, 2), 2: (1, 1), 3: (1, 0), 4: (2, 0), 5: (2, 1), 6: (2, 2)}
"""Snake by columns, the first of which is column 1."""
rng = np.random.default_rng(0)
JITTER = {tile: rng.integers(-2, 3, 2) for tile in GRID}
TRUE = {t: (STEP * (x - 1) + JITTER[t][0], STEP * y + JITTER[t][1]) for t, (x, y) in GRID.items()}


@pytest.fixture(scope="module")
def tiles():
    """Tiles of 48 px cut from noise at whole pixels, from 4 px on."""
    field = rng.normal(70, 3, (3 * STEP + 30, 2 * STEP + 30)).astype(np.float32)
    return {t: field[y + 4 : y + 52, x + 4 : x + 52] for t, (x, y) in TRUE.items()}


def program(folder, *lines):
    path = folder / "ImageJ linux64"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def find(tmp_path):
    """Let a program, the stand-in if none is given, find the positions of tiles."""

    def find(tiles, *lines, timeout_s=60):
        lines = lines or (f"exec '{sys.executable}' '{STAND_IN}' \"$@\"",)
        return find_with_fiji(
            tiles,
            GRID,
            overlap_fraction=0.25,
            program=program(tmp_path, *lines),
            timeout_s=timeout_s,
            folder=tmp_path / "work folder",
        )

    return find


def assert_true(found, tiles):
    first = next(iter(tiles))
    for tile in tiles:
        step = np.subtract(found[tile], found[first])
        np.testing.assert_array_equal(step, np.subtract(TRUE[tile], TRUE[first]), str(tile))


def test_positions_of_a_whole_grid_are_found(find, tiles, tmp_path):
    found = find(tiles)
    assert set(found) == set(tiles)
    assert_true(found, tiles)
    assert list((tmp_path / "work folder").iterdir()) == []


def test_a_grid_with_holes_is_laid_out_by_file(find, tiles):
    there = {t: tile for t, tile in tiles.items() if t != 5}
    found = find(there)
    assert set(found) == set(there)
    assert_true(found, there)


def test_pixels_without_a_value_do_not_spoil_a_tile(find, tiles):
    holed = tiles[2].copy()
    holed[20:24, 20:24] = np.nan
    assert_true(find({**tiles, 2: holed}), tiles)


def test_a_tile_without_texture_is_left_at_the_origin(find, tiles):
    dark = np.random.default_rng(1).normal(40, 1, tiles[5].shape).astype(np.float32)
    assert find({**tiles, 5: dark})[5] == (0, 0)


@pytest.mark.parametrize("kept", [[], [3]])
def test_fiji_is_not_started_for_a_single_tile(find, tiles, kept):
    with pytest.raises(EstimateError, match=f"found {len(kept)} tiles to be stitched"):
        find({tile: tiles[tile] for tile in kept})


def test_what_fiji_says_is_in_the_log(find, tiles, caplog):
    caplog.set_level(logging.INFO)
    find(tiles)
    assert "--headless --console -macro" in caplog.text
    assert "Stitching internal version" in caplog.text


def test_without_fiji_the_setting_is_named(tiles, tmp_path):
    with pytest.raises(SettingsError, match=r"stitch.fiji no-such-fiji: found No such file"):
        find_with_fiji(
            tiles,
            GRID,
            overlap_fraction=0.25,
            program="no-such-fiji",
            timeout_s=9,
            folder=tmp_path,
        )


REGISTERED = 'cd "$(dirname "$4")"; exec > TileConfiguration.registered.txt; echo dim = 2'
BROKEN = {
    "exit status": (("echo no Java; exit 3",), EstimateError, "found exit status 3.*said: no Java"),
    "no result": (("echo done",), EstimateError, r"no TileConfiguration.*it said: done"),
    "a cut file": ((REGISTERED, "echo 'tile_0001.tif; ; (0, 0)'"), DataError, r"no tiles \[2, 3"),
    "half a line": ((REGISTERED, "printf 'tile_0001.tif; ; (0.'"), DataError, "found line 2"),
    "another tile": ((REGISTERED, "echo 'tile_0009.tif; ; (0, 0)'"), DataError, "tiles 1 to 6"),
}


@pytest.mark.parametrize(("lines", "error", "message"), BROKEN.values(), ids=BROKEN)
def test_what_goes_wrong_is_told(find, tiles, lines, error, message):
    with pytest.raises(error, match=message):
        find(tiles, *lines)


def test_fiji_that_does_not_end_is_stopped(find, tiles):
    with pytest.raises(EstimateError, match=r"found no end after 1 s.*it said: still there"):
        find(tiles, "echo still there", "exec sleep 30", timeout_s=1)
