"""TIFF, MATLAB, gzip and JPEG: small files that other programs must open."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from octflow.io import tiff
from octflow.io.mat import read_mat, write_mat
from octflow.io.picture import (
    Panel,
    axis_key,
    coloured,
    colours_of,
    panel_of,
    write_preview,
    write_sheet,
)
from octflow.io.tiff import write_tiff


def test_tiff_keeps_values_and_pixel_size(tmp_path):
    array = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    write_tiff(tmp_path / "a.tiff", array, pixel_size_um=(10, 20))
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        np.testing.assert_array_equal(file.asarray(), array)
        tags = file.pages[0].tags
        assert tags["XResolution"].value == (1, 10)
        assert tags["YResolution"].value == (1, 20)
        assert file.imagej_metadata["unit"] == "um"


def test_tiff_beyond_four_gigabytes_is_a_bigtiff_with_its_pixel_size(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "_IMAGEJ_BYTES", 16)
    array = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    write_tiff(tmp_path / "a.tiff", array, pixel_size_um=(10, 20))
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.asarray(), array)
        tags = file.pages[0].tags
        assert tags["XResolution"].value == (1000, 1)
        assert tags["YResolution"].value == (500, 1)
        assert tags["ResolutionUnit"].value == 3


def test_tiff_holds_zero_in_holes_where_asked(tmp_path):
    array = np.array([[1, np.nan]], np.float32)
    write_tiff(tmp_path / "a.tiff", array, pixel_size_um=(10, 10), zero_holes=True)
    assert tifffile.imread(tmp_path / "a.tiff").tolist() == [[1, 0]]


def test_mat_files_keep_arrays_and_are_the_same_bytes_every_time(tmp_path):
    psi = np.random.default_rng(0).normal(size=(3, 4))
    for name in ("a.mat", "b.mat"):
        write_mat(tmp_path / name, {"psi": psi})
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat")["psi"], psi)
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes()


def test_colours_follow_the_window_and_holes_are_black():
    rgb = coloured(np.array([[0.0, 5.0, 10.0, 99.0, np.nan]]), (0, 10), "gray")
    assert rgb[0, :, 0].tolist() == [0, 128, 255, 255, 0]


def in_lab(rgb):
    """CIELAB of sRGB (N, 3), 0 to 255, under D65: distances are those that people see."""
    part = rgb / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.transpose(to_xyz) / (0.9505, 1, 1.089)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def test_colours_of_axes_are_cyclic_even_and_never_dark():
    axes = np.linspace(-90, 90, 180, endpoint=False)[None]
    colours = in_lab(coloured(axes, (-90, 90), colours_of("ori"))[0])
    steps = np.linalg.norm(colours - np.roll(colours, 1, axis=0), axis=1)
    assert steps.max() < 2.5 * np.median(steps)
    assert colours[:, 0].min() > 50
    across = np.linalg.norm(colours - np.roll(colours, 90, axis=0), axis=1)
    assert across.min() > 80


def test_key_shows_axes_as_they_lie_in_the_picture():
    red, green, blue, opacity = axis_key(1, n_px=101)[[25, 75, 25, 50], [75, 75, 25, 0]].T
    rgb = np.stack([red, green, blue], axis=1)
    expected = coloured(np.array([[45.0, -45.0, -45.0, 0.0]]), (-90, 90), colours_of("ori"))[0]
    np.testing.assert_array_equal(rgb, expected)
    assert opacity.all()
    assert axis_key(1)[0, 0, 3] == 0
    np.testing.assert_array_equal(axis_key(-1)[25, 75, :3], rgb[1])


@pytest.mark.parametrize("modality", ["aip", "ori", "surf"])
def test_previews_have_one_pixel_per_pixel(modality, tmp_path):
    write_preview(tmp_path / "a.jpg", modality, np.full((6, 9), np.nan))
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (9, 6)


def test_previews_know_the_size_of_their_pixels(tmp_path):
    write_preview(tmp_path / "a.jpg", "aip", np.ones((6, 9)), pixel_size_um=(12.7, 10))
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.info["dpi"] == (2000, 2540)


def test_previews_of_large_maps_are_thinned(tmp_path):
    ramp = np.tile(np.linspace(50, 80, 70), (20, 1))
    options = {"pixel_size_um": (10, 10), "longest_px": 35}
    write_preview(tmp_path / "a.png", "aip", ramp, **options)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (35, 10)
        assert round(picture.info["dpi"][0]) == 1270
        expected = coloured(ramp, (50, 80), "gray")[0, ::2, 0]
        np.testing.assert_array_equal(np.asarray(picture)[0], expected)


def test_a_map_beyond_what_jpeg_takes_becomes_a_jpeg(tmp_path):
    write_preview(tmp_path / "a.jpg", "aip", np.ones((2, 65501), np.float32))
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (32751, 1)


def test_a_window_of_ones_own_is_shown(tmp_path):
    write_preview(tmp_path / "a.png", "aip", np.array([[70.0, 90.0]]), window=(70, 90))
    with Image.open(tmp_path / "a.png") as picture:
        assert np.asarray(picture).tolist() == [[0, 255]]


def test_large_panels_are_thinned_at_once_and_keep_their_scale():
    panel = panel_of("aip", np.zeros((3100, 40)))
    assert (panel.every, panel.array.shape) == (3, (1034, 14))


def test_sheets_are_the_same_bytes_every_time(tmp_path):
    panels = [panel_of("aip", np.eye(20) * 60), Panel("rgb", np.zeros((9, 9, 3), np.uint8))]
    for name in ("a.jpg", "b.jpg"):
        write_sheet(tmp_path / name, panels, title="sheet")
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
