import numpy as np
import pytest

from octflow.simulate.vessels import grow_vessels, trunk_positions, vessel_mask
from octflow.simulate.vessels_seen import seen_vessel


def tube(off_px, seed=0):
    """A dark tube that drifts by a pixel per plane and lies beside where it is looked for."""
    y, x = np.indices((61, 81), dtype=float)
    noise = np.random.default_rng(seed).exponential(size=(8, 61, 81))
    dark = [np.hypot(x - 35 - z - off_px[0], y - 30 - off_px[1]) < 5 for z in range(8)]
    return 70 - 18 * np.array(dark) + 10 * np.log10(noise)


@pytest.mark.parametrize("off_px", [(0.0, 0.0), (2.4, -1.3), (-4.0, 3.0)])
def test_a_tube_is_found_where_it_is_and_not_where_it_should_be(off_px):
    seen = seen_vessel(tube(off_px), range(8), lambda z: (35.0 + z, 30.0), 5.0)
    assert np.hypot(*np.subtract(seen.off_px, off_px)) < 0.35
    assert seen.contrast_db == pytest.approx(-18, abs=1.5)


def test_two_tubes_apart_jump_by_their_distance():
    one, other = (seen_vessel(tube(o), range(8), lambda z: (35.0 + z, 30.0), 5.0)
                  for o in ((1.0, 0.0), (-2.0, 4.0)))  # fmt: skip
    assert one.jump_px(other) == pytest.approx(5, abs=0.5)


def test_where_there_is_no_tube_there_is_no_contrast():
    seen = seen_vessel(tube((-30.0, 0.0)), range(8), lambda z: (60.0, 30.0), 5.0)
    assert seen.contrast_db > -3


def test_trunks_lie_inside_their_tubes_at_every_depth():
    vessels = grow_vessels(np.random.default_rng(3), (2600.0, 2400.0, 1200.0), 200.0)
    for z_um in np.linspace(0, 1200, 25):
        at = trunk_positions(vessels, z_um)
        assert at.shape == (2, 2)
        assert vessel_mask(vessels, at[:, :1], at[:, 1:], np.array([z_um])).all()


def test_below_its_end_a_trunk_is_nowhere():
    vessels = grow_vessels(np.random.default_rng(3), (2600.0, 2400.0, 400.0), 200.0)
    assert np.isnan(trunk_positions(vessels, 1e4)).all()
