"""The cost that older reconstructions minimise pixel by pixel, from the closed form on.

With u = birefringence * axis, a view is to see the vector r = P u |P u| / |u| of length
birefringence * sin^2 of the angle to the beam, P being the projection on the view; what it does see
is B (cos phi, sin phi). The cost is the squared difference, summed over the views. It weighs views
by their birefringence, unlike the cost of the closed form, and is 0 for the same fibres.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.stages.register.axis3d import projection_matrix

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]

STEPS = 12
"""Damped Gauss-Newton steps of a pixel; those that raise the cost are taken back."""
_FIRST_DAMPING, _DAMPING_RATIO = 1e-3, 5.0
"""Of the diagonal, and what it is divided by after a good step, multiplied by after a bad one."""
_NOTHING = 1e-12


class Views(NamedTuple):
    """The views that see some pixels."""

    places: NDArray[np.int64]
    """(V,) places among the projections."""
    matrices: Floats
    """(V, 2, 3) projections on them."""
    weights: Floats
    """(V,) by which their squares count."""


def refine(
    projections: Floats,
    here: Mask,
    chosen: Sequence[int],
    tilt_deg: Sequence[float],
    *,
    weights: Sequence[float],
    w: Floats,
) -> None:
    """Replace solutions w by what minimises the reference's cost nearby.

    The signs of what the views see are those that the solution has; the cost is never raised.

    Parameters
    ----------
    projections : (V, 2, Y, X) array
        Projections p on every view.
    here : (Y, X) array of bool
        Pixels that the chosen views see.
    chosen : (C,) ints
        Places of the views.
    tilt_deg, weights : (V,) floats
        Tilts about y and weights of all views.
    w : (3, Y, X) array
        sqrt(birefringence) * axis, replaced there.
    """
    views = Views(
        np.array(chosen, np.int64),
        np.stack([projection_matrix(tilt_deg[i]) for i in chosen]),
        np.array([weights[i] for i in chosen], float),
    )
    p = np.ascontiguousarray(projections).reshape(len(projections), 2, -1)
    _refine(p, here.reshape(-1), views, w.reshape(3, -1))


@njit(nogil=True, cache=True)
def _refine(p: Floats, chosen: Mask, views: Views, w: Floats) -> None:
    """Loop over pixels, each in units of the birefringence that it starts with."""
    seen = np.empty((len(views.places), 2))
    u, trial, step, gradient = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    normal = np.empty((3, 3))
    for i in range(chosen.size):
        unit = float(w[0, i]) ** 2 + float(w[1, i]) ** 2 + float(w[2, i]) ** 2
        if not chosen[i] or unit == 0:
            continue
        for j in range(3):
            u[j] = w[j, i] / np.sqrt(unit)
        _observe(p, i, views, u, unit, seen)
        damping, cost = _FIRST_DAMPING, _cost(u, seen, views)
        for _ in range(STEPS):
            _linearise(u, seen, views, normal, gradient)
            _solve(normal, gradient, damping, step)
            for j in range(3):
                trial[j] = u[j] - step[j]
            found = _cost(trial, seen, views)
            if found < cost:
                u[:], cost, damping = trial, found, damping / _DAMPING_RATIO
            else:
                damping *= _DAMPING_RATIO
        root = np.sqrt(unit / np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2))
        for j in range(3):
            w[j, i] = root * u[j]


@njit(nogil=True, cache=True)
def _observe(p: Floats, i: int, views: Views, u: Floats, unit: float, seen: Floats) -> None:
    """Take what every view sees, B (cos phi, sin phi), with the sign that u has there."""
    for v in range(len(views.places)):
        x, y = float(p[views.places[v], 0, i]), float(p[views.places[v], 1, i])
        to_x, to_y = _projected(views.matrices[v], u)
        scale = np.sqrt(x * x + y * y) / unit
        if x * to_x + y * to_y < 0:
            scale = -scale
        seen[v, 0], seen[v, 1] = scale * x, scale * y


@njit(nogil=True, cache=True)
def _projected(matrix: Floats, u: Floats) -> tuple[float, float]:
    return (
        matrix[0, 0] * u[0] + matrix[0, 1] * u[1] + matrix[0, 2] * u[2],
        matrix[1, 0] * u[0] + matrix[1, 1] * u[1] + matrix[1, 2] * u[2],
    )


@njit(nogil=True, cache=True)
def _cost(u: Floats, seen: Floats, views: Views) -> float:
    """Sum the squared differences over the views."""
    total, length = 0.0, np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
    for v in range(len(seen)):
        x, y = _projected(views.matrices[v], u)
        sine = np.sqrt(x * x + y * y) / max(length, _NOTHING)
        gap_x, gap_y = x * sine - seen[v, 0], y * sine - seen[v, 1]
        total += views.weights[v] * (gap_x * gap_x + gap_y * gap_y)
    return total


@njit(nogil=True, cache=True)
def _linearise(u: Floats, seen: Floats, views: Views, normal: Floats, gradient: Floats) -> None:
    """Fill in J^T W J and J^T W (difference), J the derivative of r = P u |P u| / |u|."""
    normal[:], gradient[:] = 0.0, 0.0
    length = max(np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2), _NOTHING)
    slope = np.empty((2, 3))
    for v in range(len(seen)):
        matrix, weight = views.matrices[v], views.weights[v]
        to = _projected(matrix, u)
        across = max(np.sqrt(to[0] ** 2 + to[1] ** 2), _NOTHING)
        for j in range(3):
            back = matrix[0, j] * to[0] + matrix[1, j] * to[1]
            turn = back / (across * length) - across * u[j] / length**3
            for k in range(2):
                slope[k, j] = matrix[k, j] * across / length + to[k] * turn
        for k in range(2):
            gap = to[k] * across / length - seen[v, k]
            for j in range(3):
                gradient[j] += weight * slope[k, j] * gap
                for m in range(3):
                    normal[j, m] += weight * slope[k, j] * slope[k, m]


@njit(nogil=True, cache=True)
def _solve(normal: Floats, gradient: Floats, damping: float, step: Floats) -> None:
    """Solve (J^T W J, its diagonal grown by the damping) step = gradient, by Cramer's rule."""
    grown = 1 + damping
    a, b, c = grown * normal[0, 0], grown * normal[1, 1], grown * normal[2, 2]
    d, e, f = normal[0, 1], normal[0, 2], normal[1, 2]
    first, second, third = b * c - f * f, e * f - d * c, d * f - e * b
    scale = 1 / max(a * first + d * second + e * third, _NOTHING**2)
    step[0] = scale * (first * gradient[0] + second * gradient[1] + third * gradient[2])
    step[1] = scale * (
        second * gradient[0] + (a * c - e * e) * gradient[1] + (d * e - a * f) * gradient[2]
    )
    step[2] = scale * (
        third * gradient[0] + (d * e - a * f) * gradient[1] + (a * b - d * d) * gradient[2]
    )
