import numpy as np
import pytest
from PIL import Image

from octflow.io.arrows import Arrows, enlarged
from octflow.io.picture import Panel, write_sheet


def test_an_outlier_is_cut_and_hides_no_other_arrow():
    by_px = np.array([[0.0, 0.1]] * 19 + [[30.0, 40.0]])
    drawn, key_px, factor = enlarged(Arrows(np.zeros((20, 2)), by_px), 100)
    assert key_px == pytest.approx(0.1)
    np.testing.assert_allclose(drawn[0], [0, 0.1 * factor])
    np.testing.assert_allclose(drawn[-1], 2 * 0.1 * factor * np.array([0.6, 0.8]))


def test_shifts_of_nothing_are_no_arrows():
    drawn, _, _ = enlarged(Arrows(np.zeros((3, 2)), np.zeros((3, 2))), 100)
    np.testing.assert_array_equal(drawn, 0)


def orange(path):
    """Where (y, x) arrows were drawn, as fractions of the picture."""
    with Image.open(path) as picture:
        red, _, blue = np.moveaxis(np.asarray(picture.convert("RGB"), float), -1, 0)
        ys, xs = np.nonzero(red - blue > 120)
        return ys / picture.size[1], xs / picture.size[0]


@pytest.mark.parametrize("by_px", [[0, 0.3], [0, -0.3]])
def test_an_arrow_points_where_the_shift_goes_y_growing_downwards(tmp_path, by_px):
    arrows = Arrows(np.array([[50.0, 50.0]]), np.array([by_px]))
    panel = Panel("x", np.zeros((101, 101)), window=(0, 1), arrows=arrows)
    write_sheet(tmp_path / "sheet.png", [panel], title="sheet")
    ys, xs = orange(tmp_path / "sheet.png")
    # The head is wider than the shaft: pixels lie on its side of the middle.
    inside = ys < 0.8
    middle = (ys[inside].min() + ys[inside].max()) / 2
    assert np.sign(np.mean(ys[inside]) - middle) == np.sign(by_px[1])
    assert np.ptp(xs[inside]) < np.ptp(ys[inside])


def test_a_sheet_without_any_shift_is_drawn(tmp_path):
    none = Arrows(np.zeros((0, 2)), np.zeros((0, 2)))
    write_sheet(tmp_path / "a.png", [Panel("x", np.zeros((9, 9)), arrows=none)], title="none")
    assert (tmp_path / "a.png").stat().st_size > 0
