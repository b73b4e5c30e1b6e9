"""Least squares for the 3-D fibre axis over any number of views, some of them missing."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from octflow.stages.register.axis3d import (
    MIN_TILT_DEG,
    SIGN_COST,
    Floats,
    check_tilts,
    pair_of,
    projection_matrix,
    tilt_span,
)
from octflow.stages.register.kernels import (
    Equations,
    Pair,
    solve_least_squares,
    solve_straight_pair,
)


def solve_views(
    projections: Floats,
    tilt_deg: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    noise: float = 0.0,
) -> tuple[Floats, Floats]:
    """Solve for w from any number of views by weighted least squares over w and the signs.

    Parameters
    ----------
    projections : (V, 2, ...) array
        Projections p on every view, of either sign.
    tilt_deg : (V,) floats
        Tilts about y.
    weights : (V,) floats, optional
        Inverse variances up to a factor, mean 1; equal where not given.
    noise : float
        As in `solve_pair`.

    Returns
    -------
    w : (3, ...) array
        sqrt(birefringence) * axis, x not negative.
    cost : (...) array
        Weighted sum of squared residuals, 2 V - 3 degrees of freedom.

    Raises
    ------
    EstimateError
        All tilts lie within 2 degrees.
    """
    check_tilts(tilt_deg)
    shape, n_views = projections.shape[2:], len(tilt_deg)
    w, cost = np.empty((3, *shape), projections.dtype), np.empty(shape, projections.dtype)
    solve_least_squares(
        np.ascontiguousarray(projections).reshape(n_views, 2, -1),
        np.ones(cost.size, bool),
        equations_of(range(n_views), tilt_deg, np.ones(n_views) if weights is None else weights),
        np.full(cost.size, SIGN_COST * noise**2),
        w.reshape(3, -1),
        cost.reshape(-1),
    )
    return w, cost


def equations_of(
    views: Sequence[int], tilt_deg: Sequence[float], weights: Sequence[float] | Floats
) -> Equations:
    """Set up the least squares of some views, by their places, for the loop over pixels."""
    root = np.sqrt(np.asarray(weights, float))
    design = np.concatenate([r * projection_matrix(g) for r, g in zip(root, tilt_deg, strict=True)])
    inverse = np.linalg.pinv(design)
    return Equations(
        views=np.array(views, np.int64),
        signs=np.array([(1.0, *signs) for signs in product((1, -1), repeat=len(root) - 1)]),
        design=np.stack([design[::2, 0], design[::2, 2], root]),
        inverse=root * np.stack([inverse[0, ::2], inverse[1, 1::2], inverse[2, ::2]]),
    )


def noise_of(cost: Floats, n_views: int) -> float:
    """Estimate the standard deviation of p from the misfit of the model, robustly.

    Parameters
    ----------
    cost : (...) array
        Sums of squared residuals.
    n_views : int
        Number of views they come from.

    Returns
    -------
    noise : float
        From the median, which a few misfits do not move; 0 where there is nothing.
    """
    if cost.size == 0:
        return 0.0
    return float(np.sqrt(np.median(cost) / chdtri(2 * n_views - 3, 0.5)))


def solve_field(
    projections: Floats,
    valid: NDArray[np.bool_],
    tilt_deg: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    noise: float | None = None,
    share: Floats | None = None,
) -> tuple[Floats, Floats, float]:
    """Solve for w wherever at least two sufficiently different views are valid.

    Parameters
    ----------
    projections : (V, 2, Y, X) array
        Projections on every view.
    valid : (V, Y, X) array of bool
        Where a view has a value.
    tilt_deg : (V,) floats
        Tilts about y.
    weights : (V,) floats, optional
        Weights of the views.
    noise : float, optional
        Standard deviation of the components of p of a pixel that is not averaged; estimated from
        the misfit where not given.
    share : (Y, X) array, optional
        Part of its variance that is left where pixels were averaged; 1 where not given.

    Returns
    -------
    w : (3, Y, X) array
        sqrt(birefringence) * axis; 0 where it is not determined.
    cost : (Y, X) array
        Sum of squared residuals per degree of freedom; 0 where not determined.
    noise : float
        The given one, or from the misfit where the most views are valid.
    """
    check_tilts(tilt_deg)
    w = np.zeros((3, *valid.shape[1:]), projections.dtype)
    cost = np.zeros(valid.shape[1:], projections.dtype)
    left = np.ones(cost.shape, cost.dtype) if share is None else share
    for chosen in choices(tilt_deg):
        here = seen_by(valid, chosen)
        if not here.any():
            continue
        system = _system(chosen, tilt_deg, weights)
        if noise is None:
            misfit = misfit_of(projections, here, chosen, tilt_deg, weights=weights)
            noise = noise_of(misfit[here] / left[here], len(chosen))
        _solve(projections, here, system, SIGN_COST * noise**2 * left, (w, cost))
        np.divide(cost, 2 * len(chosen) - 3, out=cost, where=here)
    return w, cost, noise or 0.0


def misfit_of(
    projections: Floats,
    here: NDArray[np.bool_],
    chosen: Sequence[int],
    tilt_deg: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
) -> Floats:
    """Return the least sum (Y, X) of squared residuals of the chosen views, 0 elsewhere."""
    w = np.zeros((3, *here.shape), projections.dtype)
    cost, exact = np.zeros(here.shape, projections.dtype), np.zeros(here.shape, projections.dtype)
    _solve(projections, here, _system(chosen, tilt_deg, weights), exact, (w, cost))
    return cost


def choices(tilt_deg: Sequence[float]) -> list[tuple[int, ...]]:
    """List the choices of views that determine an axis, the largest first.

    Examples
    --------
    >>> choices((0, -15, 1))
    [(0, 1, 2), (0, 1), (1, 2)]
    """
    every = range(len(tilt_deg))
    subsets = [c for n in range(len(tilt_deg), 1, -1) for c in combinations(every, n)]
    return [c for c in subsets if tilt_span([tilt_deg[i] for i in c]) >= MIN_TILT_DEG]


def seen_by(valid: NDArray[np.bool_], chosen: Sequence[int]) -> NDArray[np.bool_]:
    """Return where (Y, X) just the chosen views (V, Y, X) are valid."""
    here = np.ones(valid.shape[1:], bool)
    for i, one in enumerate(valid):
        here &= one if i in chosen else ~one
    return here


def _system(
    chosen: Sequence[int], tilt_deg: Sequence[float], weights: Sequence[float] | None
) -> Pair | Equations:
    """Use the closed form where it holds: two views of equal weight, the first one straight."""
    tilts = [tilt_deg[i] for i in chosen]
    weight = np.ones(len(chosen)) if weights is None else np.array([weights[i] for i in chosen])
    if len(tilts) == 2 and tilts[0] == 0 and weight[0] == weight[1]:
        return pair_of(chosen[0], chosen[1], tilts[1])
    return equations_of(chosen, tilts, weight / weight.mean())


def _solve(
    projections: Floats,
    here: NDArray[np.bool_],
    system: Pair | Equations,
    tolerance: Floats,
    to: tuple[Floats, Floats],
) -> None:
    """Fill w and cost in where some views see tissue."""
    p = np.ascontiguousarray(projections).reshape(len(projections), 2, -1)
    w, cost = to[0].reshape(3, -1), to[1].reshape(-1)
    limit = np.ascontiguousarray(tolerance).reshape(-1)
    if isinstance(system, Pair):
        solve_straight_pair(p, here.reshape(-1), system, limit, w, cost)
    else:
        solve_least_squares(p, here.reshape(-1), system, limit, w, cost)
