import numpy as np
import pytest

from octflow.stages.stitch.offsets import solve_offsets


def random_offsets(seed, count=9, links=30):
    rng = np.random.default_rng(seed)
    chain = [(i, i + 1) for i in range(count - 1)]
    pairs = np.array(chain + [tuple(rng.permutation(count)[:2]) for _ in range(links)])
    roots = rng.normal(size=(len(pairs), 2, 2))
    return pairs, rng.normal(0, 50, (len(pairs), 2)), roots @ roots.transpose(0, 2, 1)


def dense_solution(pairs, offsets, precision, count):
    """Least squares on whitened offsets, by NumPy."""
    matrix = np.zeros((len(pairs), 2, count, 2))
    for i, (first, second) in enumerate(pairs):
        root = np.linalg.cholesky(precision[i]).T
        matrix[i, :, second], matrix[i, :, first] = root, -root
        offsets[i] = root @ offsets[i]
    solved = np.linalg.lstsq(matrix.reshape(-1, 2 * count), offsets.ravel())[0]
    return solved.reshape(count, 2)


@pytest.mark.parametrize("seed", range(3))
def test_positions_are_those_of_least_squares(seed):
    pairs, offsets, precision = random_offsets(seed)
    found = solve_offsets(pairs, offsets, precision, 9)
    expected = dense_solution(pairs, offsets.copy(), precision, 9)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-5)


def test_tiles_that_hang_together_with_no_other_stay_finite():
    pairs, offsets = np.array([[0, 1], [2, 3]]), np.array([[7.0, 1.0], [3.0, -2.0]])
    found = solve_offsets(pairs, offsets, np.tile(100 * np.eye(2), (2, 1, 1)), 4)
    np.testing.assert_allclose(found[[1, 3]] - found[[0, 2]], offsets, atol=1e-6)


def test_no_offsets_leave_every_tile_at_zero():
    found = solve_offsets(np.empty((0, 2), int), np.empty((0, 2)), np.empty((0, 2, 2)), 3)
    np.testing.assert_array_equal(found, np.zeros((3, 2)))
