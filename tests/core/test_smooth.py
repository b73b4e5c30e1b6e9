import numpy as np
import pytest
from scipy import ndimage

from octflow.core.smooth import gaussian, running_mean


@pytest.fixture
def picture():
    return np.random.default_rng(0).normal(5, 2, (37, 23)).astype(np.float32)


@pytest.mark.parametrize("sigma_px", [0.7, 1.5, 5.0])
def test_gaussian_is_that_of_scipy(picture, sigma_px):
    expected = ndimage.gaussian_filter(picture.astype(float), sigma_px, mode="nearest")
    np.testing.assert_allclose(gaussian(picture, sigma_px), expected, rtol=1e-6)


@pytest.mark.parametrize("step_px", [2, 3])
def test_every_second_or_third_pixel_is_one_of_all(picture, step_px):
    some = gaussian(picture, 1.2, step_px)
    np.testing.assert_array_equal(some, gaussian(picture, 1.2)[::step_px, ::step_px])


@pytest.mark.parametrize("reach_px", [0, 1, 8, 30])
def test_running_mean_is_that_of_scipy(picture, reach_px):
    size = 2 * reach_px + 1
    expected = ndimage.uniform_filter(picture.astype(float), size, mode="nearest")
    np.testing.assert_allclose(running_mean(picture, reach_px), expected, rtol=1e-6)


def test_picture_is_left_as_it_was(picture):
    before = picture.copy()
    gaussian(picture, 2.0)
    running_mean(picture, 3)
    np.testing.assert_array_equal(picture, before)
