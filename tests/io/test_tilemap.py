from dataclasses import replace
from pathlib import Path

import jinja2
import numpy as np
import pytest
import yaml

from octflow.core.errors import DataError
from octflow.io.tilemap import Tilemap, read_tilemap, render_tilemap, write_listing, write_tilemap

TILEMAP = Tilemap(
    illumination="tilted",
    scan_resolution_mm=(0.012, 0.01, 0.0025),
    overlap_px=(70, 40),
    positions_px={1: (0.0, 280.125), 2: (1.5, 0.0), 13: (160.0625, 3.0)},
    grid={1: (0, 1), 2: (0, 0), 13: (1, 0)},
)


@pytest.fixture
def path(tmp_path):
    write_tilemap(tmp_path / "tilemap-tilted.j2", TILEMAP)
    return tmp_path / "tilemap-tilted.j2"


def test_what_is_written_is_read_back(path):
    assert read_tilemap(path) == TILEMAP


def test_another_grid_has_the_same_places():
    moved = TILEMAP.on({1: (1, 0), 2: (0, 1)})
    assert moved.positions_px == {1: (160.0625, 3.0), 2: (0.0, 280.125)}
    assert moved.grid == {1: (1, 0), 2: (0, 1)}


def test_new_columns_lie_on_the_lattice_and_nothing_is_negative():
    grown = TILEMAP.on({1: (0, 0), 2: (2, 0), 3: (2, 1)}).positions_px
    np.testing.assert_allclose(grown[2], (318.625, 6.0))
    np.testing.assert_allclose(grown[3], (317.125, 286.125))
    skewed = replace(TILEMAP, positions_px=TILEMAP.positions_px | {13: (160, -3), 2: (0, 1)})
    positions = skewed.on({1: (0, 0), 2: (3, 0)}).positions_px
    np.testing.assert_allclose([positions[1], positions[2]], [(0, 12), (480, 0)], atol=1e-9)


def test_a_column_beyond_a_single_one_cannot_be_placed():
    single = replace(TILEMAP, grid={1: (0, 1), 2: (0, 0)}, positions_px={1: (0, 280), 2: (0, 0)})
    with pytest.raises(DataError, match="expected a template slice with more columns"):
        single.on({1: (1, 0)})


def test_rendering_names_the_file_of_every_tile(path):
    text = render_tilemap(path, base_dir=Path("mosaic-003/a b: c"), mosaic=3, modality="mip")
    plain = yaml.safe_load(text)
    assert plain["tiles"][2] == {
        "tile_number": 13,
        "filepath": "mosaic-003/a b: c/mosaic_003_image_0013_mip.nii",
        "x": 160.0625,
        "y": 3.0,
        "grid": [1, 0],
    }


def test_rendering_tells_mosaic_modality_and_resolution(path):
    text = render_tilemap(path, base_dir=Path("d"), mosaic=3, modality="mip")
    assert yaml.safe_load(text)["metadata"] == {
        "base_dir": "d",
        "mosaic": 3,
        "modality": "mip",
        "illumination": "tilted",
        "scan_resolution": [0.012, 0.01, 0.0025],
        "tile_overlap": [40, 70],
    }


def test_a_listing_is_the_tilemap_filled_in(path):
    options = {"base_dir": Path("mosaic-003/processed"), "mosaic": 3, "modality": "ori"}
    write_listing(path.with_suffix(".yaml"), TILEMAP, **options)
    assert path.with_suffix(".yaml").read_text() == render_tilemap(path, **options)


def test_scan_resolution_is_a_parameter_too(path):
    plain = {"base_dir": "d", "mosaic": 1, "modality": "aip"}
    text = jinja2.Template(path.read_text()).render(**plain, scan_resolution=[0.02, 0.02, 0.005])
    assert yaml.safe_load(text)["metadata"]["scan_resolution"] == [0.02, 0.02, 0.005]


def test_layout_of_a_tilemap_knows_positions_and_overlap(path):
    layout = read_tilemap(path).layout((350, 200))
    assert layout.shape == (631, 361)
    assert layout.overlap_px == (70, 40)


@pytest.mark.parametrize(
    ("text", "found"),
    [("tiles: []", "KeyError"), ("{{ nowhere }}", "nowhere"), ("{% if %}", "Expected")],
    ids=["no metadata", "unknown name", "not a template"],
)
def test_other_files_are_refused(path, text, found):
    path.write_text(text)
    with pytest.raises(DataError, match=rf"tilemap-tilted\.j2: found .*{found}"):
        read_tilemap(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="found no file, expected a tilemap"):
        read_tilemap(tmp_path / "none.j2")
