"""Median errors of two views and of three, over noise."""

import numpy as np
import pytest

from octflow.stages.register.axis3d import axis_and_birefringence, half_vectors
from octflow.stages.register.views import solve_views

TILTS_DEG = (0, -15, 15)
DN = 1e-3


@pytest.fixture(scope="module")
def errors_deg(fields):
    """Median error of the axis by noise in parts of the root of birefringence: two views, three."""
    axis, _ = fields.random_fibres(20_000)
    clean = np.stack(
        [half_vectors(*fields.seen_under(axis, np.full(20_000, DN), g)) for g in TILTS_DEG]
    )
    white = np.random.default_rng(0).normal(scale=np.sqrt(DN), size=clean.shape)
    table = {}
    for part in (0.003, 0.01, 0.03, 0.1):
        seen, noise = clean + part * white, part * np.sqrt(DN)
        solved = (solve_views(seen[:n], TILTS_DEG[:n], noise=noise)[0] for n in (2, 3))
        found = (axis_and_birefringence(w)[0] for w in solved)
        table[part] = [float(np.median(fields.axis_error_deg(a, axis))) for a in found]
    return table


@pytest.mark.parametrize("part", [0.003, 0.01, 0.03, 0.1])
def test_three_views_beat_two_at_every_noise(errors_deg, part):
    two, three = errors_deg[part]
    assert three < 0.7 * two


def test_small_noise_costs_in_proportion(errors_deg):
    for n in (0, 1):
        assert errors_deg[0.01][n] / errors_deg[0.003][n] == pytest.approx(0.01 / 0.003, rel=0.15)
