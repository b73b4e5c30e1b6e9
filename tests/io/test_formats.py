"""TIFF, MATLAB, gzip and JPEG: small files that other programs must open."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from octflow.io.mat import read_mat, write_mat
from octflow.io.picture import Panel, coloured, panel_of, write_preview, write_sheet
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


def test_mat_files_keep_arrays_and_are_the_same_bytes_every_time(tmp_path):
    psi = np.random.default_rng(0).normal(size=(3, 4))
    for name in ("a.mat", "b.mat"):
        write_mat(tmp_path / name, {"psi": psi})
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat")["psi"], psi)
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes()


def test_colours_follow_the_window_and_holes_are_black():
    rgb = coloured(np.array([[0.0, 5.0, 10.0, 99.0, np.nan]]), (0, 10), "gray")
    assert rgb[0, :, 0].tolist() == [0, 128, 255, 255, 0]


def test_axes_at_plus_and_minus_90_have_nearly_one_colour():
    rgb = coloured(np.array([[-90.0, 90.0, 0.0]]), (-90, 90), "hsv").astype(int)[0]
    assert np.abs(rgb[0] - rgb[1]).max() < 40
    assert np.abs(rgb[0] - rgb[2]).max() > 200


@pytest.mark.parametrize("modality", ["aip", "ori", "surf"])
def test_previews_have_one_pixel_per_pixel(modality, tmp_path):
    write_preview(tmp_path / "a.jpg", modality, np.full((6, 9), np.nan))
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (9, 6)


def test_sheets_are_the_same_bytes_every_time(tmp_path):
    panels = [panel_of("aip", np.eye(20) * 60), Panel("rgb", np.zeros((9, 9, 3), np.uint8))]
    for name in ("a.jpg", "b.jpg"):
        write_sheet(tmp_path / name, panels, title="sheet")
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
