import numpy as np

from octflow.core.tissue import tissue_mask


def disc(shape, centre, radius):
    y, x = np.indices(shape)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def test_mask_is_the_tissue():
    rng = np.random.default_rng(0)
    truth = disc((80, 90), (40, 40), 25)
    mask = tissue_mask((np.where(truth, 70, 50) + rng.normal(0, 4, truth.shape)).astype("f4"), 60)
    dice = 2 * np.sum(mask & truth) / (mask.sum() + truth.sum())
    assert dice > 0.97
    assert mask.dtype == np.uint8


def test_small_parts_go_and_holes_are_filled():
    truth = disc((80, 90), (40, 40), 25)
    aip = np.where(truth & ~disc((80, 90), (40, 45), 6), 70, 50) + 0.0
    aip[70:75, 80:86] = 90
    mask = tissue_mask(aip.astype(np.float32), 60)
    assert mask[40, 45] == 1
    assert mask[72, 83] == 0


def test_pixels_without_tiles_are_no_tissue_and_darken_no_neighbour():
    aip = np.full((30, 30), 61, np.float32)
    aip[:, 15:] = np.nan
    mask = tissue_mask(aip, 60)
    np.testing.assert_array_equal(mask, np.isfinite(aip))


def test_missing_column_does_not_cut_off_tissue():
    truth = disc((80, 90), (40, 40), 25)
    aip = np.where(truth, 70, 50).astype(np.float32)
    aip[10:14, 80:84] = 70
    missing = np.zeros(truth.shape, bool)
    missing[:, 46:60] = True
    aip[missing] = np.nan
    mask = tissue_mask(aip, 60, sigma_px=0.5, missing=missing)
    assert np.mean(mask == (truth & ~missing)) > 0.99
    assert mask[:, 60:70].any()
    assert not mask[:, 75:].any()


def test_without_tissue_the_mask_is_empty():
    assert not tissue_mask(np.full((9, 9), 40, np.float32), 60).any()
    everywhere = np.ones((9, 9), bool)
    assert not tissue_mask(np.full((9, 9), np.nan, np.float32), 60, missing=everywhere).any()
