"""Least squares for the 3-D fibre axis over any number of views, some of them missing."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from octflow.stages.register.axis3d import (
    MIN_TILT_DEG,
    SIGN_COST,
    Floats,
    check_tilts,
    projection_matrix,
    solve_pair,
    tilt_span,
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
    root = np.sqrt(np.ones(len(tilt_deg)) if weights is None else np.asarray(weights))
    design = np.concatenate([r * projection_matrix(g) for r, g in zip(root, tilt_deg, strict=True)])
    inverse = np.linalg.pinv(design).astype(projections.dtype)
    shape = (len(root), 2) + (1,) * (projections.ndim - 2)
    weighted = projections * np.repeat(root, 2).reshape(shape).astype(projections.dtype)
    solutions = (
        _solve_signs(weighted, signs, design.astype(projections.dtype), inverse)
        for signs in product((1, -1), repeat=len(root) - 1)
    )
    return _best(solutions, SIGN_COST * noise**2)


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

    Returns
    -------
    w : (3, Y, X) array
        sqrt(birefringence) * axis; 0 where it is not determined.
    cost : (Y, X) array
        Sum of squared residuals per degree of freedom; 0 where not determined.
    noise : float
        Standard deviation of p, from the misfit where the most views are valid.
    """
    check_tilts(tilt_deg)
    w = np.zeros((3, *valid.shape[1:]), projections.dtype)
    cost = np.zeros(valid.shape[1:], projections.dtype)
    noise: float | None = None
    weight = np.ones(len(tilt_deg)) if weights is None else np.asarray(weights, dtype=float)
    for chosen in choices(tilt_deg):
        here = seen_by(valid, chosen)
        if not here.any():
            continue
        seen = projections[list(chosen)][:, :, here]
        tilts, share = [tilt_deg[i] for i in chosen], weight[list(chosen)]
        solution = _solve(seen, tilts, share / share.mean(), noise=0.0)
        if noise is None:
            noise = noise_of(solution[1], len(chosen))
        solution = _solve(seen, tilts, share / share.mean(), noise=noise)
        w[:, here], cost[here] = solution[0], solution[1] / (2 * len(chosen) - 3)
    return w, cost, noise or 0.0


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


def _solve(
    seen: Floats, tilt_deg: Sequence[float], share: Floats, *, noise: float
) -> tuple[Floats, Floats]:
    """Use the closed form where it holds: two views of equal weight, the first one straight."""
    if len(tilt_deg) == 2 and tilt_deg[0] == 0 and share[0] == share[1]:
        return solve_pair(seen[0], seen[1], tilt_deg[1], noise=noise)
    return solve_views(seen, tilt_deg, weights=list(share), noise=noise)


def _solve_signs(
    weighted: Floats, signs: tuple[int, ...], design: Floats, inverse: Floats
) -> tuple[Floats, Floats]:
    """Solve with given signs of the second and later views."""
    sign = np.array([1, *signs], weighted.dtype).reshape((-1,) + (1,) * (weighted.ndim - 1))
    seen = (weighted * sign).reshape(-1, *weighted.shape[2:])
    w = np.tensordot(inverse, seen, axes=1)
    residual = seen - np.tensordot(design, w, axes=1)
    return w, np.einsum("i...,i...->...", residual, residual)


def _best(solutions: Iterable[tuple[Floats, Floats]], tolerance: float) -> tuple[Floats, Floats]:
    """Choose the signs of least cost; among costs the noise does not tell apart, the least |w|."""
    every = list(solutions)
    limit = np.min([cost for _, cost in every], axis=0) + tolerance
    w, cost = every[0]
    length = np.where(cost <= limit, np.einsum("i...,i...->...", w, w), np.inf)
    for other, its_cost in every[1:]:
        its_length = np.where(its_cost <= limit, np.einsum("i...,i...->...", other, other), np.inf)
        better = its_length < length
        w, cost = np.where(better, other, w), np.where(better, its_cost, cost)
        length = np.minimum(length, its_length)
    return np.where(w[0] < 0, -w, w), cost
