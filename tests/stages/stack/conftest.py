from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates


def structure(n_y=120, n_x=140, seed=0):
    """Smooth structure in dB within a disc, NaN outside."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.normal(size=(n_y, n_x)), 4)
    y, x = np.indices((n_y, n_x))
    inside = np.hypot(y - n_y / 2, x - n_x / 2) < 0.42 * n_y
    return np.where(inside, 65 + 3 * texture / texture.std(), np.nan)


def moved(image, shift_px, seed=1, noise=0.5):
    """What lies at p in the picture lies at p + shift in the result; with its own noise."""
    y, x = np.indices(image.shape, dtype=float)
    at = [y - shift_px[1], x - shift_px[0]]
    plain = map_coordinates(image, at, order=1, mode="constant", cval=np.nan)
    return plain + np.random.default_rng(seed).normal(scale=noise, size=image.shape)


@pytest.fixture(scope="session")
def made():
    """The functions of this file."""
    return SimpleNamespace(structure=structure, moved=moved)
