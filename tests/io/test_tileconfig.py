from dataclasses import replace

import pytest

from octflow.core.errors import DataError
from octflow.io.tileconfig import TilePosition, read_tileconfig, write_tileconfig

A, B = TilePosition("a.nii", 0.0, 1.5), TilePosition("b c.nii", -280.25, 3.0)
SHAPES = {
    "as Fiji writes it": (
        "# Define the number of dimensions we are working on\ndim = 2\n\n"
        "# Define the image coordinates\na.nii; ; (0.0, 1.5)\nb c.nii; ; (-280.25, 3.0)\n"
    ),
    "no blanks": "dim=2\na.nii;;(0,1.5)\nb c.nii;;(-280.25,3)",
    "many blanks": "\n  dim = 2 \n\n  a.nii ; ; ( 0.0 , 1.5)\t\n\n\tb c.nii; ; (-2.8025E2, +3.) \n",
    "Windows": "\ufeffdim = 2\r\n\r\na.nii; ; (0.0, 1.5) \r\nb c.nii; ; (-280.25, 3.0)\r\n",
    "old Mac": "dim = 2\ra.nii; ; (-0.0, 1.5)\rb c.nii; ; (-280.25, 3.0)\r",
    "comments": "#\nDIM = 2\n# (1, 2)\na.nii; ; (.0, 1.5)\n #x; ; y\nb c.nii; ; (-280.25, 3)\n",
    "names of pictures": "dim = 2\na.nii; a; (0.0, 1.5)\nb c.nii; b c; (-280.25, 3.0)\n",
}


def write(folder, text):
    path = folder / "TileConfiguration.registered.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_read(tmp_path, text):
    assert read_tileconfig(write(tmp_path, text)) == [A, B]


def test_three_dimensions_are_read(tmp_path):
    path = write(tmp_path, "dim = 3\na.nii; ; (0.0, 1.5E-3, -7)\n")
    assert read_tileconfig(path) == [TilePosition("a.nii", 0.0, 0.0015, -7.0)]


def test_series_of_one_file_are_told_apart(tmp_path):
    path = write(tmp_path, "dim = 2\nmultiseries = true\na.nii; 0; (0.0, 1.5)\na.nii; 1; (9, 1)\n")
    assert read_tileconfig(path) == [
        replace(A, series=0),
        TilePosition("a.nii", 9.0, 1.0, series=1),
    ]


@pytest.mark.parametrize("name", ["sub folder/b c.nii", "sub\\b.nii", "Größe (1).tif", "a,b#1.nii"])
def test_names_are_kept_as_they_are(tmp_path, name):
    path = write(tmp_path, f"dim = 2\n{name}; ; (1, 2)\n")
    assert read_tileconfig(path) == [TilePosition(name, 1.0, 2.0)]


@pytest.mark.parametrize(
    "tiles",
    [
        [A, B],
        [TilePosition("a.nii", 1.0, 2.0, 3.5)],
        [replace(A, series=0), replace(A, series=1)],
        [],
    ],
)
def test_what_is_written_is_read_back(tmp_path, tiles):
    write_tileconfig(tmp_path / "t.txt", tiles)
    assert read_tileconfig(tmp_path / "t.txt") == tiles


HOSTILE = {
    "no dimension": ("a.nii; ; (1, 2)\n", 1, "dim = 2 or dim = 3 before the first tile"),
    "wrong dimension": ("# x\ndim = 4\n", 2, "dim = 2 or dim = 3"),
    "empty dimension": ("dim =\n", 1, "dim = 2 or dim = 3"),
    "too many numbers": ("dim = 2\na; ; (1, 2, 3)\n", 2, r"name; ; \(x, y\), as dim = 2 says"),
    "too few numbers": ("dim = 3\na; ; (1, 2)\n", 2, r"name; ; \(x, y, z\), as dim = 3 says"),
    "a word": ("dim = 2\na; ; (1, two)\n", 2, "a number in place of 'two'"),
    "nan": ("dim = 2\na; ; (NaN, 2)\n", 2, "a number in place of 'NaN'"),
    "decimal commas": ("dim = 2\na; ; (1,5, 2,5)\n", 2, r"name; ; \(x, y\), as dim = 2 says"),
    "an empty number": ("dim = 2\na; ; (1, )\n", 2, "a number in place of ''"),
    "a tile twice": ("dim = 2\na; ; (1, 2)\n\na; ; (3, 4)\n", 4, "every tile once"),
    "one semicolon": ("dim = 2\na.nii; (1, 2)\n", 2, r"name; ; \(x, y\)"),
    "no name": ("dim = 2\n ; ; (1, 2)\n", 2, r"name; ; \(x, y\)"),
    "cut off": ("dim = 2\na; ; (1, 2)\nb; ; (28", 3, r"name; ; \(x, y\)"),
}


@pytest.mark.parametrize(("text", "line", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_line_that_cannot_be_read_is_named_with_its_number(tmp_path, text, line, expected):
    with pytest.raises(
        DataError, match=rf"registered\.txt: found line {line}: .*, expected {expected}$"
    ):
        read_tileconfig(write(tmp_path, text))


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: found no file, expected a TileConfiguration"):
        read_tileconfig(tmp_path / "none.txt")
    (tmp_path / "t.txt").write_bytes(b"dim = 2\n\xff\xfe; ; (1, 2)\n")
    with pytest.raises(DataError, match=r"t\.txt: found .*, expected text in UTF-8"):
        read_tileconfig(tmp_path / "t.txt")
