"""Seams are invisible: across the rim of a tile a mosaic varies as it does elsewhere.

What is tested: the difference of neighbouring pixels, of a known field with white noise that no two
tiles share, over the standard deviation that the weights leave of the noise. Where two tiles
overlap the mosaic is less noisy than where there is one; that is not a seam, and is divided out.
"""

from dataclasses import replace

import numpy as np
import pytest

from octflow.core.axial import axis_difference, wrap_axis
from octflow.core.mosaic import Layout, resampled
from octflow.stages.stitch.blend import blend

SIZE, OVERLAP, SIGMA = 90, 20, 1.5
JITTER = np.random.default_rng(4).uniform(0, 4, (5, 5, 2))
POSITIONS = {
    5 * x + y: (70 * x + JITTER[x, y, 0], 70 * y + JITTER[x, y, 1])
    for x in range(5)
    for y in range(5)
}
LAYOUT = Layout(POSITIONS, (SIZE, SIZE), (OVERLAP, OVERLAP))


def intensity_db(y, x):
    return 70 + 5 * np.sin(x / 17) + 4 * np.cos(y / 13)


def axis_deg(y, x):
    """Axes that turn through the wrap several times."""
    return wrap_axis(1.1 * x + 0.7 * y)


def tiles_of(field, vignetting_db=0.0, sigma=SIGMA):
    """Tiles of a field with noise, darker towards their rims."""
    rng, (v, u) = np.random.default_rng(5), np.indices((SIZE, SIZE))
    radius = ((v / SIZE - 0.5) ** 2 + (u / SIZE - 0.5) ** 2) * 2
    found = {}
    for tile, (x, y) in POSITIONS.items():
        values = field(y + v, x + u) + rng.normal(0, sigma, (SIZE, SIZE))
        found[tile] = (values - vignetting_db * radius).astype(np.float32)
    return found


def ramp(position, size):
    """Distances within a tile, and the weights there, over the pixels of the mosaic."""
    local = np.arange(size) - position
    weight = np.minimum(1, np.minimum(local + 1, SIZE - local) / (OVERLAP + 1))
    return np.where((local >= 0) & (local <= SIZE - 1), weight, 0)


def expected_variance():
    """Variance of the difference of neighbours along x, from the noise of the tiles.

    A pixel at fraction f is f a + (1 - f) b, so a difference is f a + (1 - 2 f) b - (1 - f) c.
    """
    total, squares = np.zeros((2, *LAYOUT.shape))
    for x, y in POSITIONS.values():
        f, g = np.ceil(x) - x, np.ceil(y) - y
        weight = np.outer(ramp(y, LAYOUT.shape[0]), ramp(x, LAYOUT.shape[1]))
        factor = (f**2 + (1 - 2 * f) ** 2 + (1 - f) ** 2) * (g**2 + (1 - g) ** 2)
        total += weight
        squares += weight**2 * factor
    share = squares / np.where(total > 0, total, 1) ** 2
    return SIGMA**2 * (share[:, 1:] + share[:, :-1]) / 2


def rims():
    """Pixels left of the rims of tiles that another tile covers on both sides."""
    found = np.zeros((LAYOUT.shape[0], LAYOUT.shape[1] - 1), bool)
    covered = LAYOUT.counted(POSITIONS)
    for tile in POSITIONS:
        y, x = LAYOUT.placement(tile).where
        for left in (x.start - 1, x.stop - 1):
            if 0 <= left < found.shape[1]:
                found[y, left] = (covered[y, left] > 0) & (covered[y, left + 1] > 0)
    return found


def contrast(mosaic, field, difference=np.subtract):
    """Differences of neighbours along x, without those of the field, in standard deviations."""
    y, x = np.indices(LAYOUT.shape)
    residual = difference(mosaic, field(y, x))
    return difference(residual[:, 1:], residual[:, :-1]) / np.sqrt(expected_variance())


def statistics(found):
    """Mean, and root mean square, across the rims and elsewhere, with the number at rims."""
    at, there = rims(), np.isfinite(found)
    groups = found[at & there], found[~at & there]
    assert groups[0].size > 2500
    return [(part.mean(), np.sqrt(np.mean(part**2))) for part in groups], groups[0].size


def assert_invisible(found):
    ((mean, rms), (mean_elsewhere, rms_elsewhere)), count = statistics(found)
    assert abs(mean - mean_elsewhere) < 4 / np.sqrt(count)
    assert rms == pytest.approx(rms_elsewhere, abs=4 / np.sqrt(2 * count))
    assert rms_elsewhere == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("vignetting_db", [0, 3])
def test_no_statistic_of_an_intensity_tells_a_seam(vignetting_db):
    mosaic = blend(LAYOUT, tiles_of(intensity_db, vignetting_db))
    assert_invisible(contrast(mosaic, intensity_db))


def test_no_statistic_of_an_axis_tells_a_seam_not_at_the_wrap_either():
    tiles = {t: wrap_axis(tile).astype(np.float32) for t, tile in tiles_of(axis_deg).items()}
    mosaic = blend(LAYOUT, tiles, axial=True)
    assert np.ptp(mosaic[np.isfinite(mosaic)]) > 179
    assert_invisible(contrast(mosaic, axis_deg, axis_difference))


def test_seams_of_tiles_that_are_pasted_are_seen():
    mosaic = np.full(LAYOUT.shape, np.nan, np.float32)
    for tile, values in tiles_of(intensity_db, vignetting_db=3).items():
        placement = LAYOUT.placement(tile)
        mosaic[placement.where] = resampled(values, placement)
    ((_, rms), (_, rms_elsewhere)), count = statistics(contrast(mosaic, intensity_db))
    assert rms > rms_elsewhere + 10 / np.sqrt(2 * count)


def test_a_tile_brighter_than_its_neighbours_fades_over_the_overlap():
    flat = {t: np.zeros((SIZE, SIZE), np.float32) for t in POSITIONS}
    mosaic = blend(LAYOUT, flat | {12: flat[12] + 4})
    assert np.nanmax(mosaic) == pytest.approx(4)
    assert np.nanmax(np.abs(np.diff(mosaic, axis=1))) < 2 * 4 / OVERLAP


def test_fractions_of_a_pixel_are_nearer_the_truth_than_whole_pixels():
    def stripes(y, x):
        return 60 + 5 * np.cos(2 * np.pi * x / 7) * np.cos(2 * np.pi * y / 9)

    y, x = np.indices(LAYOUT.shape)
    tiles = tiles_of(stripes, sigma=0)
    fine, rounded = (
        np.sqrt(np.nanmean((blend(replace(LAYOUT, subpixel=s), tiles) - stripes(y, x)) ** 2))
        for s in (True, False)
    )
    # A shift of up to half a pixel, evenly spread: the slope of the field over its root mean.
    slope = 2.5 * 2 * np.pi * np.hypot(1 / 7, 1 / 9)
    assert rounded < 1.2 * slope / np.sqrt(12)
    assert fine < 0.6 * rounded
