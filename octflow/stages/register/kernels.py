"""Compiled loops over pixels that solve for w, one pixel at a time, without arrays in between."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


class Pair(NamedTuple):
    """A straight and a tilted view."""

    first: int
    """Place of the straight view among the projections."""
    second: int
    """Place of the tilted one."""
    cos: float
    """Cosine of the tilt."""
    sin: float
    """Sine of the tilt."""


class Equations(NamedTuple):
    """Weighted least squares over some views; tilts about y leave y independent of x and z."""

    views: NDArray[np.int64]
    """(V,) places of the views among the projections."""
    signs: Floats
    """(S, V) signs of the projections to try."""
    design: Floats
    """(3, V) of every view: root of weight times cosine, times minus sine, and alone."""
    inverse: Floats
    """(3, V) what the projection on a view adds to x, y and z of w."""


@njit(nogil=True, cache=True)
def solve_straight_pair(
    p: Floats, chosen: Mask, pair: Pair, tolerance: Floats, w: Floats, cost: Floats
) -> None:
    """Solve for w in closed form where a pixel is chosen.

    Parameters
    ----------
    p : (V, 2, n) array
        Projections on every view.
    chosen : (n,) array of bool
        Pixels to solve for.
    pair : Pair
        Which views, and their tilt.
    tolerance : (n,) array
        Signs whose costs differ by less are told apart by |w_z|; 0 trusts the signs.
    w : (3, n) array
        Filled in.
    cost : (n,) array
        Sums of squared residuals, filled in.
    """
    for i in range(chosen.size):
        if chosen[i]:
            x, y = float(p[pair.first, 0, i]), float(p[pair.first, 1, i])
            x_2, y_2 = float(p[pair.second, 0, i]), float(p[pair.second, 1, i])
            same = y * y_2
            # |w_z| is smaller where the projections on x have the same sign (cos g > 0).
            deciding = x * x_2 if 2 * abs(same) < tolerance[i] else same
            sign = -1.0 if deciding < 0 else 1.0
            residual = y - sign * y_2
            w[0, i] = x
            w[1, i] = (y + sign * y_2) / 2
            w[2, i] = (pair.cos * x - sign * x_2) / pair.sin
            cost[i] = residual * residual / 2


@njit(nogil=True, cache=True)
def solve_least_squares(
    p: Floats, chosen: Mask, equations: Equations, tolerance: Floats, w: Floats, cost: Floats
) -> None:
    """Solve for w by least squares over w and the signs where a pixel is chosen.

    Parameters
    ----------
    p, chosen, w, cost
        As for `solve_straight_pair`.
    equations : Equations
        Which views, and their least squares.
    tolerance : (n,) array
        Signs whose costs exceed the least by no more are told apart by |w|.
    """
    n_views = len(equations.views)
    seen, every = np.empty((2, n_views)), np.empty((len(equations.signs), 4))
    for i in range(chosen.size):
        if chosen[i]:
            for k in range(n_views):
                at = equations.views[k]
                seen[0, k], seen[1, k] = p[at, 0, i], p[at, 1, i]
            _fit_all(seen, equations.signs, equations.design, equations.inverse, every)
            s = _shortest(every, tolerance[i])
            flip = -1.0 if every[s, 0] < 0 else 1.0
            for j in range(3):
                w[j, i] = flip * every[s, j]
            cost[i] = every[s, 3]


@njit(nogil=True, cache=True)
def _fit_all(seen: Floats, signs: Floats, design: Floats, inverse: Floats, every: Floats) -> None:
    """Solve one pixel with all signs: x, y, z of w and the cost of each."""
    for s in range(len(signs)):
        x = y = z = 0.0
        for k in range(signs.shape[1]):
            x += inverse[0, k] * signs[s, k] * seen[0, k]
            y += inverse[1, k] * signs[s, k] * seen[1, k]
            z += inverse[2, k] * signs[s, k] * seen[0, k]
        cost = 0.0
        for k in range(signs.shape[1]):
            gap_x = design[2, k] * signs[s, k] * seen[0, k] - design[0, k] * x - design[1, k] * z
            gap_y = design[2, k] * (signs[s, k] * seen[1, k] - y)
            cost += gap_x * gap_x + gap_y * gap_y
        every[s, 0], every[s, 1], every[s, 2], every[s, 3] = x, y, z, cost


@njit(nogil=True, cache=True)
def _shortest(every: Floats, tolerance: float) -> int:
    """Return which solution (S, 4) of least cost, within a tolerance, has the least |w|."""
    limit = np.inf
    for s in range(len(every)):
        limit = min(limit, every[s, 3] + tolerance)
    best, shortest = 0, np.inf
    for s in range(len(every)):
        square = every[s, 0] ** 2 + every[s, 1] ** 2 + every[s, 2] ** 2
        if every[s, 3] <= limit and square < shortest:
            best, shortest = s, square
    return best
