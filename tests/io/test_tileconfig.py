import pytest

from octflow.core.errors import DataError
from octflow.io.tileconfig import TilePosition, read_tileconfig, write_tileconfig

A, B = TilePosition("a.nii", 0.0, 1.5), TilePosition("b c.nii", -280.25, 3.0)
SHAPES = {
    "plain": "a.nii; ; (0.0, 1.5)\nb c.nii; ; (-280.25, 3.0)\n",
    "as Fiji writes it": (
        "# Define the number of dimensions we are working on\ndim = 2\n\n"
        "# Define the image coordinates\na.nii; ; (0.0, 1.5)\nb c.nii; ; (-280.25, 3.0)\n"
    ),
    "no blanks": "dim=2\na.nii;;(0,1.5)\nb c.nii;;(-280.25,3)\n",
    "many blanks": "\n  dim = 2 \n\n  a.nii ;  ; ( 0.0 , 1.5 ) \n\n\tb c.nii; ; (-2.8025E2, +3.)\n",
    "Windows": "\ufeffdim = 2\r\na.nii; ; (0.0, 1.5)\r\nb c.nii; ; (-280.25, 3.0)\r\n",
    "multiseries": "dim = 2\nmultiseries = true\na.nii; 0; (0.0, 1.5)\nb c.nii; 1; (-280.25, 3.0)",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_read(tmp_path, text):
    path = tmp_path / "TileConfiguration.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_tileconfig(path) == [A, B]


def test_three_dimensions_are_read(tmp_path):
    path = tmp_path / "TileConfiguration.txt"
    path.write_text("dim = 3\na.nii; ; (0.0, 1.5, -7)\n")
    assert read_tileconfig(path) == [TilePosition("a.nii", 0.0, 1.5, -7.0)]


@pytest.mark.parametrize("tiles", [[A, B], [TilePosition("a.nii", 1.0, 2.0, 3.5)], []])
def test_what_is_written_is_read_back(tmp_path, tiles):
    write_tileconfig(tmp_path / "t.txt", tiles)
    assert read_tileconfig(tmp_path / "t.txt") == tiles


def test_a_line_that_is_none_is_named_with_its_number(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("dim = 2\na.nii; (1, 2)\n")
    with pytest.raises(DataError, match=r"t\.txt: found line 2: 'a\.nii; \(1, 2\)'"):
        read_tileconfig(path)
