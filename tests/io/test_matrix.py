"""Matrices in the forms of other programs."""

import numpy as np
import pytest
import SimpleITK as sitk

from octflow.core.errors import DataError
from octflow.io.matrix import read_matrix

TURN = np.array([[0.0, -1, 0, 5], [1, 0, 0, -2], [0, 0, 1, 7], [0, 0, 0, 1]])


def test_four_lines_of_four_numbers(tmp_path):
    np.savetxt(tmp_path / "m.txt", TURN)
    np.testing.assert_array_equal(read_matrix(tmp_path / "m.txt"), TURN)


def test_itk_leads_from_the_reference_to_the_image_with_x_and_y_reversed(tmp_path):
    transform = sitk.AffineTransform(3)
    transform.SetMatrix([1.1, 0.2, 0, -0.2, 0.9, 0.1, 0, 0, 1])
    transform.SetTranslation((3, -4, 5))
    transform.SetCenter((1, 2, 3))
    sitk.WriteTransform(transform, str(tmp_path / "m.tfm"))
    there = np.array([2.0, -3.0, 4.0])
    in_image = np.array(transform.TransformPoint((there * [-1, -1, 1]).tolist())) * [-1, -1, 1]
    found = read_matrix(tmp_path / "m.tfm") @ [*in_image, 1]
    np.testing.assert_allclose(found, [*there, 1], atol=1e-9)


BAD = {
    "no numbers": "left right",
    "three lines": "1 0 0 0\n0 1 0 0\n0 0 1 0",
    "another last line": "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 1 1",
    "not finite": "1 0 0 nan\n0 1 0 0\n0 0 1 0\n0 0 0 1",
    "mirrors": "-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1",
    "flat": "0 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1",
    "broken ITK": "#Insight Transform File V1.0\nnothing",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_is_no_such_matrix_is_named(content, tmp_path):
    (tmp_path / "bad.txt").write_text(content)
    with pytest.raises(DataError, match=r"bad.txt: found .*, expected four lines of four numbers"):
        read_matrix(tmp_path / "bad.txt")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="found no file"):
        read_matrix(tmp_path / "none.txt")
