import numpy as np

from octflow.simulate.vessels import Vessels, grow_vessels, vessel_mask

BOX_UM = (2000.0, 1500.0, 1000.0)


def grown(seed=0):
    return grow_vessels(np.random.default_rng(seed), BOX_UM, 500.0)


def test_volume_of_a_tube_is_that_of_a_cylinder_with_round_ends():
    tube = Vessels(np.array([[20.0, 30, 30], [80.0, 30, 30]]), np.array([[0, 1]]), np.array([10.0]))
    x, y = np.meshgrid(np.arange(100.0), np.arange(60.0))
    mask = vessel_mask(tube, x, y, np.arange(60.0))
    expected = np.pi * 10**2 * 60 + 4 / 3 * np.pi * 10**3
    assert abs(mask.sum() / expected - 1) < 0.02


def test_voxel_is_inside_when_its_distance_to_the_segment_is():
    a, b = np.array([1.0, 2, 3]), np.array([9.0, 7, 12])
    tube = Vessels(np.stack([a, b]), np.array([[0, 1]]), np.array([3.0]))
    x, y = np.meshgrid(np.arange(12.0), np.arange(12.0))
    mask = vessel_mask(tube, x, y, np.arange(16.0))
    steps = a + np.linspace(0, 1, 400)[:, None] * (b - a)
    for iy, ix, iz in [(4, 5, 7), (2, 1, 0), (7, 9, 14), (0, 9, 3), (9, 9, 12)]:
        distance = np.sqrt(((steps - [ix, iy, iz]) ** 2).sum(axis=1)).min()
        assert mask[iy, ix, iz] == (distance <= 3)


def test_trunks_cross_all_slices():
    depth = grown().nodes_um[:, 2]
    assert depth.min() < 0
    assert depth.max() > BOX_UM[2]


def test_graph_is_a_forest_with_branches():
    vessels = grown()
    degree = np.bincount(vessels.edges.ravel())
    assert len(vessels.nodes_um) - len(vessels.edges) == 2
    assert (degree >= 3).sum() >= 4
    assert len(vessels.radius_um) == len(vessels.edges)


def test_same_stream_grows_the_same_vessels():
    np.testing.assert_array_equal(grown(3).nodes_um, grown(3).nodes_um)
    assert not np.array_equal(grown(3).nodes_um, grown(4).nodes_um)
