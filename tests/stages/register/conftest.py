"""Synthetic fibres and scenes, written down independently of the stage."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates


def random_fibres(n, seed=0):
    """Unit vectors evenly over the sphere (3, n), and birefringences."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=(3, n))
    return axis / np.linalg.norm(axis, axis=0), rng.uniform(1e-4, 2e-3, n)


def seen_under(axis, dn, tilt_deg):
    """Apparent birefringence and azimuth from the angle to the beam and the view's own axes."""
    g = np.deg2rad(tilt_deg)
    beam = np.array([np.sin(g), 0, np.cos(g)])
    right, down = np.array([np.cos(g), 0, -np.sin(g)]), np.array([0.0, 1.0, 0.0])
    along, across_x, across_y = (np.tensordot(v, axis, axes=1) for v in (beam, right, down))
    return dn * (1 - along**2), np.rad2deg(np.arctan(across_y / across_x))


def axis_error_deg(first, second):
    """Angle between axes (3, ...), signs ignored."""
    return np.rad2deg(np.arccos(np.clip(np.abs(np.sum(first * second, axis=0)), 0, 1)))


def scene(n_y=150, n_x=170, seed=0):
    """Texture within an irregular outline on a dark background, in dB."""
    rng = np.random.default_rng(seed)
    texture = sum(
        a * s * gaussian_filter(rng.normal(size=(n_y, n_x)), s) for s, a in ((3, 1), (9, 2))
    )
    y, x = np.mgrid[:n_y, :n_x]
    dy, dx = y - n_y / 2, x - n_x / 2
    outline = 0.4 * min(n_y, n_x) + 6 * np.sin(3 * np.arctan2(dy, dx))
    return np.where(np.hypot(dx, dy) < outline, 66 + 4 * texture / texture.std(), 50)


def moved(image, matrix, shape, seed=1, noise=0.5):
    """What a view shows of a scene when it sees scene position p at matrix @ (p, 1)."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.indices(shape, dtype=float)
    source = np.tensordot(inverse[:2], np.stack([x, y, np.ones(shape)]), axes=1)
    view = map_coordinates(image, source[::-1], order=1, mode="nearest")
    return view + np.random.default_rng(seed).normal(scale=noise, size=shape)


def affine(tilt_deg, rotation_deg=0.0, shear=0.0, shift=(0.0, 0.0)):
    """Foreshorten, shear, rotate, shift: scene (x, y, 1) to view (x, y)."""
    t = np.deg2rad(rotation_deg)
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    squeeze = np.diag([np.cos(np.deg2rad(tilt_deg)), 1])
    return np.column_stack([turn @ np.array([[1, shear], [0, 1]]) @ squeeze, shift])


@pytest.fixture(scope="session")
def fields():
    """The functions of this file."""
    functions = (random_fibres, seen_under, axis_error_deg, scene, moved, affine)
    return SimpleNamespace(**{function.__name__: function for function in functions})
