import numpy as np
import pytest
from scipy import ndimage

from octflow.core.correlate import match
from octflow.core.texture import textured


def speckle(rng, shape=(110, 100), looks=12):
    """Band-limited texture that repeats itself, so that a Fourier shift of it is exact."""
    total = np.zeros(shape)
    for _ in range(looks):
        parts = (ndimage.gaussian_filter(rng.normal(size=shape), 0.8, mode="wrap") for _ in "ab")
        total += 10 * np.log10(sum(part**2 for part in parts))
    return 3 * (total - total.mean()) / looks


def moved(picture, y, x):
    return np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(picture), (y, x))).real


def pair(seed, y, x, noise=0.5, shape=(64, 40)):
    rng = np.random.default_rng(seed)
    field = speckle(rng)
    window = np.s_[20 : 20 + shape[0], 20 : 20 + shape[1]]
    cuts = (field[window], moved(field, y, x)[window])
    return [(c + rng.normal(0, noise, shape)).astype(np.float32) for c in cuts]


SHIFTS = [(0.0, 0.0), (3.3, -2.6), (-0.5, 0.5), (6.75, 6.2)]


@pytest.mark.parametrize(("y", "x"), SHIFTS)
def test_fractional_shift_is_found_with_its_sign(y, x):
    found = match(*pair(1, y, x), search_px=9)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((y, x), abs=0.06)
    assert found.confidence > 6


@pytest.mark.parametrize("corner", [(0, 0), (11, 0), (0, 17)])
def test_pictures_cut_elsewhere_are_compared_around_the_shift_expected(corner):
    first, second = pair(1, 2.3, -1.6)
    i, j = corner
    found = match(first[i:, j:], second, search_px=5, around_px=(j, i))
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((2.3 + i, -1.6 + j), abs=0.06)


@pytest.mark.parametrize(("y", "x"), SHIFTS)
@pytest.mark.parametrize("around", [(0, 0), (1, -2)])
def test_every_other_pixel_of_smooth_texture_tells_the_shift(y, x, around):
    first, second = (ndimage.gaussian_filter(p, 1.5) for p in pair(1, y, x, shape=(71, 58)))
    options = {"search_px": 11, "around_px": around, "band_px": (1.0, 3.0)}
    found = match(first, second, **options, step_px=2)
    every = match(first, second, **options)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((y, x), abs=0.15)
    assert found.confidence == pytest.approx(every.confidence, rel=0.2)
    assert found.precision[:2] == pytest.approx(every.precision[:2], rel=0.4)


@pytest.mark.parametrize("rim", [(3, 4), (4, 5)])
def test_empty_rim_does_not_move_the_pixels_that_are_kept(rim):
    picture = pair(2, 0, 0)[0]
    inner = np.s_[rim[0] :, rim[1] :]
    cut = np.full_like(picture, np.nan)
    cut[inner] = picture[inner]
    kept = textured(cut, (1.0, 3.0), 2)
    whole = textured(picture, (1.0, 3.0), 2)
    assert kept.shape == whole.shape == (32, 20)
    assert np.corrcoef(kept[10:, 10:].ravel(), whole[10:, 10:].ravel())[0, 1] > 0.95


def test_errors_have_no_bias_and_the_size_the_precision_says():
    errors, bounds = [], []
    for seed in range(40):
        y, x = np.random.default_rng(seed).uniform(-4, 4, 2)
        found = match(*pair(seed, y, x, noise=1.0), search_px=8)
        errors.append((found.shift_y_px - y, found.shift_x_px - x))
        bounds.append(found.precision[0] ** -0.5)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.02
    assert 0.7 < np.std(errors) / np.mean(bounds) < 3


def test_offset_and_gain_between_the_pictures_do_not_matter():
    first, second = pair(2, 1.5, -2.25)
    found = match(first, 40 + 3 * second, search_px=8)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((1.5, -2.25), abs=0.06)


def test_empty_pixels_are_left_out():
    first, second = pair(3, 2.0, 1.0)
    first[:, :12] = np.nan
    second[40:, 25:] = np.nan
    found = match(first, second, search_px=8)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((2, 1), abs=0.06)


def test_stripes_fixed_to_the_scan_do_not_pull_to_zero():
    first, second = pair(4, 0.0, 5.0)
    stripes = 10 * np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
    found = match(first + stripes, second + stripes, search_px=8)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((0, 5), abs=0.06)


def test_unrelated_pictures_have_little_confidence():
    rng = np.random.default_rng(5)
    confidences = []
    for _ in range(30):
        found = match(*rng.normal(size=(2, 64, 40)).astype(np.float32), search_px=8)
        confidences.append(found.confidence if found else 0.0)
    assert max(confidences) < 6


def test_precision_is_low_along_stripes_of_the_sample():
    rng = np.random.default_rng(6)
    fibres = ndimage.gaussian_filter(rng.normal(size=(80, 60)), (0.8, 8))
    found = match(fibres[5:-5], fibres[3:-7], search_px=6)
    xx, yy, _ = found.precision
    assert yy > 10 * xx


def test_channels_are_judged_together():
    first, second = (np.stack(p) for p in zip(pair(7, 2.5, 1.5), pair(8, 2.5, 1.5), strict=True))
    found = match(first, second, search_px=8)
    assert (found.shift_y_px, found.shift_x_px) == pytest.approx((2.5, 1.5), abs=0.04)


@pytest.mark.parametrize("value", [np.nan, 1.0], ids=["empty", "flat"])
def test_without_texture_nothing_is_found(value):
    picture = np.full((30, 30), value, np.float32)
    assert match(picture, picture, search_px=4) is None


def test_texture_has_no_shading():
    y, x = np.indices((50, 60))
    texture = textured((x * 0.3 + y * 0.1).astype(np.float32))
    assert np.abs(texture[10:-10, 10:-10]).max() < 1e-2


def test_full_and_sparse_pictures_are_correlated_alike():
    first, second = pair(9, 2.25, -1.5)
    first, second = np.pad(first, 9, constant_values=np.nan), np.pad(second, 9)
    second[:9] = second[-9:] = second[:, :9] = second[:, -9:] = np.nan
    full = match(first, second, search_px=8)
    first[9 + 30, 9 + 20] = np.nan
    sparse = match(first, second, search_px=8)
    assert (full.shift_y_px, full.shift_x_px) == pytest.approx((2.25, -1.5), abs=0.06)
    assert (sparse.shift_y_px, sparse.shift_x_px) == pytest.approx((2.25, -1.5), abs=0.06)
    assert full.correlation == pytest.approx(sparse.correlation, abs=0.02)
