"""The picture of a tile on the contact sheet."""

import numpy as np

from octflow.stages.process.sheet import tile_picture


def test_a_picture_holds_four_panels():
    full = np.full((10, 12), 200, np.float32)
    rgb = tile_picture(aip=full, surface_px=full, ori=full, b_scan_db=np.full((400, 12), 200.0))
    assert rgb.shape == (20, 24, 3)
    assert (rgb[:10, :12] == 255).all()


def test_the_surface_is_drawn_where_it_is():
    surface_px = np.full((10, 12), 200, np.float32)
    b_scan_db = np.zeros((400, 12), np.float32)
    rgb = tile_picture(aip=None, surface_px=surface_px, ori=None, b_scan_db=b_scan_db)
    drawn = np.flatnonzero(rgb[10:, 12:].any(axis=(1, 2)))
    assert drawn.tolist() == [5]


def test_products_not_made_are_black():
    surface_px = np.zeros((10, 12), np.float32)
    rgb = tile_picture(aip=None, surface_px=surface_px, ori=None, b_scan_db=None)
    assert not rgb[10:].any()
    assert not rgb[:10, :12].any()
