import numpy as np
import pytest

from octflow.stages.register.agreement import agreement


@pytest.mark.parametrize("shift", [(0, 0), (3, 4)])
def test_a_shift_that_is_left_is_measured(fields, shift):
    whole = fields.scene(300, 320)
    dx, dy = shift
    fixed, moving = whole[10:280, 10:290], whole[10 + dy : 280 + dy, 10 + dx : 290 + dx]
    found = agreement(fixed, moving)
    assert found.residual_px == pytest.approx(np.hypot(dx, dy), abs=0.3)
    assert found.recognised_fraction > 0.5


def test_other_tissue_is_not_recognised(fields):
    one, other = (fields.scene(500, 500, seed=seed)[120:380, 120:380] for seed in (0, 5))
    found = agreement(one, other)
    assert found.recognised_fraction < 0.2


def test_large_maps_are_looked_at_on_a_lattice_and_measured_in_their_own_pixels(fields):
    scene = np.kron(fields.scene(300, 320), np.ones((6, 6)))
    found = agreement(scene[:-12], scene[12:])
    assert found.residual_px == pytest.approx(12, abs=0.6)


def test_without_common_tissue_nothing_is_measured():
    found = agreement(np.ones((80, 80)), np.full((80, 80), np.nan))
    assert (found.residual_px, found.recognised_fraction) == (None, None)
