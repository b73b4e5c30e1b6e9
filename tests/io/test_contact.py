"""Contact sheets, and the colours of the pictures on them."""

import colorcet  # noqa: F401 - it tells matplotlib its maps
import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from octflow.io.colours import table_of
from octflow.io.contact import Titled, write_contact_sheet


@pytest.mark.parametrize("name", ["gray", "viridis", "cet_CET_C6"])
def test_colours_are_those_of_the_libraries(name):
    expected = np.rint(255 * mpl.colormaps[name](np.arange(256))[:, :3])
    np.testing.assert_array_equal(table_of(name), expected)


def sheet(tmp_path, *pictures):
    write_contact_sheet(tmp_path / "sheet.png", pictures, title="mosaic 1", across=2)
    with Image.open(tmp_path / "sheet.png") as page:
        return np.asarray(page.convert("RGB")).astype(int)


def plain(rgb, n_y=40, n_x=40):
    return Titled("tile\nand why", np.full((n_y, n_x, 3), rgb, np.uint8))


def where(page, rgb):
    """The rectangle, as slices, that a colour fills; nothing else in it."""
    y, x = np.nonzero((page == rgb).all(axis=2))
    box = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
    assert len(y) == page[box][..., 0].size
    return box


def test_pictures_lie_in_reading_order_and_are_equally_long(tmp_path):
    page = sheet(tmp_path, plain((250, 0, 0)), plain((0, 250, 0), 20), plain((0, 0, 250), 40, 10))
    boxes = [where(page, rgb) for rgb in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    sizes = [(y.stop - y.start, x.stop - x.start) for y, x in boxes]
    assert sizes == [(420, 420), (210, 420), (420, 105)]
    first, second, third = boxes
    assert second[1].start > first[1].stop
    assert second[0].start == first[0].start
    assert third[0].start > first[0].stop
    assert third[1].start == first[1].start


def test_large_pictures_are_averaged_and_small_ones_keep_their_pixels(tmp_path):
    stripes = np.zeros((840, 840, 3), np.uint8)
    stripes[::2] = 200
    page = sheet(tmp_path, Titled("", stripes))
    assert np.isin(100, page[200:300, 100:300])
    small = np.zeros((2, 2, 3), np.uint8)
    small[0, 0] = (9, 8, 7)
    box = where(sheet(tmp_path, Titled("", small)), (9, 8, 7))
    assert (box[0].stop - box[0].start, box[1].stop - box[1].start) == (210, 210)


def test_titles_are_written_above_their_picture(tmp_path):
    page = sheet(tmp_path, plain((250, 0, 0)), plain((0, 250, 0)))
    for y, x in (where(page, (250, 0, 0)), where(page, (0, 250, 0))):
        above = page[y.start - 36 : y.start, x]
        assert (above.min(axis=2) < 128).sum() > 50
        assert above.max() == 255
    assert (page[20:40].min(axis=2) < 128).any()
