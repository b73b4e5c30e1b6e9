"""Coordinates from several slices, from Fiji, and brought along, file to file."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octflow.core.errors import DataError, EstimateError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import tile_name
from octflow.core.record import Tiles
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.io.tileconfig import TilePosition, write_tileconfig
from octflow.io.tilemap import read_tilemap
from octflow.stages.stitch.files import find_tilemap
from octflow.stages.stitch.settings import StitchSettings

from flags import write_flag

ROW = Illumination(
    name="normal", grid_size_x=4, tile_size_x_px=64, tile_size_y_px=64, overlap_fraction=0.25
)
EMPTY = 6
"""A tile inside the mosaic, which is background in the first slice."""


def write_mosaic(folder, mosaic, scan, without=()):
    """Write the tiles of a scan, and the flag of the one batch that they are."""
    outputs = []
    for tile in sorted(set(scan.tiles) - set(without)):
        path = folder / tile_name(mosaic, tile, "aip")
        write_nifti(path, scan.tiles[tile], voxel_size_mm=(0.01, 0.01, 0.2))
        outputs.append(product(path, "aip", tile))
    unit = {"slice": mosaic, "mosaic": mosaic, "illumination": "normal"}
    told = Tiles(ok=[p.tile for p in outputs])
    flag = folder / f"mosaic-{mosaic:03d}.processed"
    return write_flag(flag, "process_batch", outputs=outputs, tiles=told, unit=unit)


def find(folder, scans, without=(), **settings):
    """Find the coordinates on some scans, mosaics 1, 2, ...; return them and the outcome."""
    outcome = find_tilemap(
        processed=[write_mosaic(folder, m, s, without) for m, s in enumerate(scans, start=1)],
        tilemap=folder / "tilemap-normal.j2",
        picture=folder / "tilemap.jpg",
        folder=folder / "tilemap-normal",
        illumination=ROW,
        grids={
            m: [[t, *place] for t, place in s.grid.items()] for m, s in enumerate(scans, start=1)
        },
        instrument=Instrument(),
        settings=StitchSettings(link_modalities=("aip",), **settings),
    )
    return read_tilemap(folder / "tilemap-normal.j2").positions_px, outcome


def error_of(tile, found, scan, position_errors):
    """How far one tile lies from its true place among the others, along the worse axis."""
    errors = position_errors(found, scan.positions, scan.grid)
    return np.abs(errors[sorted(scan.grid).index(tile)]).max()


@pytest.fixture(scope="module")
def slices(cut_scan):
    """Two slices under the same stage, which has a jitter of 1.5 px."""
    first = cut_scan(jitter_px=1.5, background=(EMPTY,), seed=4)
    return first, cut_scan(jitter_px=1.5, seed=4, slice_seed=11)


def test_background_of_one_slice_is_placed_by_the_tissue_of_another(
    slices, tmp_path, position_errors
):
    alone, outcome = find(tmp_path / "a", slices[:1])
    assert error_of(EMPTY, alone, slices[0], position_errors) > 0.5
    assert outcome.qc["tiles_without_trusted_link"] == 1
    pooled, outcome = find(tmp_path / "b", slices)
    assert error_of(EMPTY, pooled, slices[0], position_errors) < 0.2
    assert outcome.qc["tiles_without_trusted_link"] == 0
    assert outcome.qc["mosaics"] == 2


def columns_from(scan, first):
    """The same places scanned without the first columns: tiles count from 1 again."""
    kept = {t: place for t, place in scan.grid.items() if place[0] >= first}
    number = {t: n for n, t in enumerate(sorted(kept), start=1)}
    return replace(
        scan,
        grid={number[t]: place for t, place in kept.items()},
        tiles={number[t]: scan.tiles[t] for t in kept},
    )


def test_slices_with_other_columns_are_pooled_by_place(slices, tmp_path, position_errors):
    pooled, _ = find(tmp_path, (slices[0], columns_from(slices[1], 1)))
    assert set(pooled) == set(slices[0].grid)
    assert error_of(EMPTY, pooled, slices[0], position_errors) < 0.2


def test_a_slice_of_background_alone_takes_nothing_away(slices, cut_scan, tmp_path):
    empty = cut_scan(jitter_px=1.5, background=range(1, 13), seed=4, slice_seed=2)
    alone, _ = find(tmp_path / "a", slices[1:])
    pooled, _ = find(tmp_path / "b", (slices[1], empty))
    assert pooled == alone


@pytest.fixture
def fiji(tmp_path):
    """The stand-in for Fiji, as a program."""
    script = Path(__file__).parents[2] / "shared" / "fiji_stand_in.py"
    path = tmp_path / "ImageJ-linux64"
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    path.chmod(0o755)
    return str(path)


def test_positions_of_fiji_are_held_against_our_links(slices, fiji, tmp_path, position_errors):
    found, outcome = find(tmp_path, slices[1:], engine="fiji", fiji=fiji)
    # The stand-in compares at whole pixels, and adds the errors along a tree.
    assert np.abs(position_errors(found, slices[1].positions, slices[1].grid)).max() < 2
    assert 0.2 < outcome.qc["residual_rms_px"] < 1
    assert outcome.qc["trusted_links_fraction"] == 1


def test_a_tile_that_fiji_leaves_at_the_origin_lies_on_the_lattice(
    slices, fiji, tmp_path, position_errors
):
    found, _ = find(tmp_path, slices[:1], without=(1, 12), engine="fiji", fiji=fiji)
    assert set(found) == set(slices[0].grid)
    for tile in (1, EMPTY, 12):
        assert error_of(tile, found, slices[0], position_errors) < 6
    assert np.min(list(found.values()), axis=0).tolist() == [0, 0]


def test_fiji_without_any_link_is_an_error(cut_scan, fiji, tmp_path):
    scan = cut_scan(background=range(1, 13))
    with pytest.raises(EstimateError, match="found 12 positions of Fiji, none 24 px or less"):
        find(tmp_path, [scan], engine="fiji", fiji=fiji)


def brought(folder, scan, tiles=None, shift_px=0.0):
    """Write true positions as a TileConfiguration, of 3-D, elsewhere than at 0."""
    lines = [
        TilePosition(tile_name(7, t, "mip"), scan.positions[t][0] - 9.5, y + shift_px * (t % 2), 0)
        for t in tiles or scan.grid
        for y in [scan.positions[t][1]]
    ]
    write_tileconfig(folder / "lab.registered.txt", lines)
    return {"normal": str(folder / "lab.registered.txt")}


def test_coordinates_are_brought_along(slices, tmp_path, position_errors):
    coordinates = brought(tmp_path, slices[1])
    found, outcome = find(tmp_path, slices[1:], coordinates=coordinates)
    assert np.abs(position_errors(found, slices[1].positions, found)).max() < 1e-3
    assert outcome.qc["residual_rms_px"] < 0.1
    assert [p.role for p in outcome.inputs] == ["coordinates"]


def test_tiles_that_are_not_brought_along_lie_on_the_lattice(slices, tmp_path, position_errors):
    coordinates = brought(tmp_path, slices[1], set(range(1, 12)))
    found, _ = find(tmp_path, slices[1:], coordinates=coordinates)
    assert error_of(12, found, slices[1], position_errors) < 6


def test_a_tilemap_is_brought_along(slices, tmp_path):
    known, _ = find(tmp_path / "a", slices[1:])
    coordinates = {"normal": str(tmp_path / "a" / "tilemap-normal.j2")}
    found, _ = find(tmp_path / "b", slices[:1], coordinates=coordinates)
    assert found == known


def test_coordinates_of_tiles_without_texture_are_taken_as_they_are(cut_scan, tmp_path):
    scan = cut_scan(background=range(1, 13))
    found, outcome = find(tmp_path, [scan], coordinates=brought(tmp_path, scan))
    assert len(found) == 12
    assert outcome.qc["trusted_links"] == 0


def test_coordinates_that_the_links_contradict_are_refused(slices, tmp_path):
    coordinates = brought(tmp_path, slices[0], shift_px=9.0)
    with pytest.raises(EstimateError, match=r"of normal: found residual_rms_px .*bound 3"):
        find(tmp_path, slices[:1], coordinates=coordinates)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dim = 2\n", "found no tile, expected tiles 1 to 12"),
        ("dim = 2\na_13.tif; ; (0, 0)\n", "found a_13.tif for tile 13, expected each of tiles 1"),
        ("dim = 2\na1.tif; ; (0, 0)\nb1.tif; ; (0, 0)\n", "found b1.tif for tile 1, expected"),
        ("dim = 2\na1.tif; ; (0, 0)\na2.tif; ; (0, 48)\n", "expected positions that tell where"),
    ],
)
def test_coordinates_that_do_not_fit_the_grid_are_refused(slices, tmp_path, text, message):
    path = tmp_path / "lab.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"lab\.txt: .*{message}"):
        find(tmp_path, slices[:1], coordinates={"normal": str(path)})
