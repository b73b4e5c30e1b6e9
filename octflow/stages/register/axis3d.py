"""The 3-D fibre axis from its projections on two or more views.

With w = sqrt(birefringence) * axis, a view measures p = sqrt(B) (cos phi, sin phi), B and phi its
apparent birefringence and azimuth: p is the orthogonal projection of w, because the apparent
birefringence falls with sin^2 of the angle between beam and fibre. So w is the solution of a
linear problem, but for the sign of every p, which an axis does not have.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import undoubled
from octflow.core.errors import EstimateError
from octflow.stages.register.kernels import Pair, solve_straight_pair

MIN_TILT_DEG = 2.0
"""Views closer than this do not determine the depth component."""
SIGN_COST = 8.0
"""Signs whose squared residuals differ by less, in noise variances, are told apart by |w|."""

Floats = NDArray[np.floating]


def projection_matrix(tilt_deg: float) -> NDArray[np.float64]:
    """Return the matrix (2, 3) that projects a vector (x, y, z) on a view tilted about y.

    Examples
    --------
    >>> projection_matrix(30).round(3).tolist()
    [[0.866, 0.0, -0.5], [0.0, 1.0, 0.0]]
    """
    tilt = np.deg2rad(tilt_deg)
    return np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0]])


def project(axis: Floats, birefringence: Floats, tilt_deg: float) -> tuple[Floats, Floats]:
    """Predict what a tilted view sees of fibres: the forward model.

    Parameters
    ----------
    axis : (3, ...) array
        Unit vectors (x, y, z), z deeper; of either sign.
    birefringence : (...) array
        True birefringence.
    tilt_deg : float
        Tilt of the beam about y.

    Returns
    -------
    apparent : (...) array
        Apparent birefringence.
    axis_deg : (...) array
        Apparent azimuth from +x towards +y, in (-90, 90].

    Examples
    --------
    Azimuth 20 and inclination 20 degrees, seen under -15 degrees.

    >>> a = np.deg2rad(20)
    >>> axis = np.array([np.cos(a) ** 2, np.cos(a) * np.sin(a), np.sin(a)])
    >>> apparent, azimuth = project(axis, np.array(2.0), -15)
    >>> round(float(apparent), 6), round(float(azimuth), 6)
    (1.979264, 18.848867)
    """
    p_x, p_y = np.tensordot(projection_matrix(tilt_deg).astype(axis.dtype), axis, axes=1)
    cos_2a, sin_2a = p_x**2 - p_y**2, 2 * p_x * p_y
    return birefringence * (p_x**2 + p_y**2), undoubled(cos_2a, sin_2a)


def half_vectors(birefringence: Floats, axis_deg: Floats, out: Floats | None = None) -> Floats:
    """Return p = sqrt(B) (cos phi, sin phi), stacked first, of an apparent birefringence.

    Parameters
    ----------
    birefringence : (...) array
        Apparent birefringence B; below 0 it counts as 0.
    axis_deg : (...) array
        Apparent azimuth phi.
    out : (2, ...) array, optional
        Where to write p.

    Examples
    --------
    >>> half_vectors(np.float32([4.0]), np.float32([90.0])).round(3).tolist()
    [[-0.0], [2.0]]
    """
    dtype = np.result_type(birefringence, axis_deg, np.float32)
    p = np.empty((2, *np.shape(axis_deg)), dtype) if out is None else out
    np.deg2rad(axis_deg, out=p[1:])
    np.cos(p[1:], out=p[:1])
    np.sin(p[1:], out=p[1:])
    p *= np.sqrt(np.maximum(birefringence, 0))
    return p


def solve_pair(
    first: Floats, second: Floats, tilt_deg: float, *, noise: float = 0.0
) -> tuple[Floats, Floats]:
    """Solve for w from a view along the z axis and a tilted one, in closed form.

    The y components are seen by both views: they tell the relative sign of the projections.
    Where they drown in noise both signs fit, and a wrong one would turn a flat fibre into a
    steep one of many times its birefringence: there the shorter solution is taken.

    Parameters
    ----------
    first, second : (2, ...) array
        Projections p on the straight and on the tilted view.
    tilt_deg : float
        Tilt of the second view about y.
    noise : float
        Standard deviation of the components of p; 0 trusts the signs as they are.

    Returns
    -------
    w : (3, ...) array
        sqrt(birefringence) * axis.
    cost : (...) array
        Sum of squared residuals, one degree of freedom.

    Raises
    ------
    EstimateError
        The tilt is below 2 degrees.
    """
    check_tilts((0, tilt_deg))
    p = np.stack([first, second])
    w, cost = np.empty((3, *p.shape[2:]), p.dtype), np.empty(p.shape[2:], p.dtype)
    flat, every = p.reshape(2, 2, -1), np.ones(cost.size, bool)
    limit = np.full(cost.size, SIGN_COST * noise**2)
    solve_straight_pair(
        flat, every, pair_of(0, 1, tilt_deg), limit, w.reshape(3, -1), cost.reshape(-1)
    )
    return w, cost


def pair_of(first: int, second: int, tilt_deg: float) -> Pair:
    """Describe a straight and a tilted view, by their places, to the loop over pixels."""
    tilt = np.deg2rad(tilt_deg)
    return Pair(first, second, float(np.cos(tilt)), float(np.sin(tilt)))


def axis_and_birefringence(w: Floats) -> tuple[Floats, Floats]:
    """Split w into unit axes (3, ...) and birefringence (...); the axis of nothing is 0.

    Examples
    --------
    >>> axis, dn = axis_and_birefringence(np.array([[0.0, 0], [0, 0], [2, 0]]))
    >>> axis.T.tolist(), dn.tolist()
    ([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], [4.0, 0.0])
    """
    birefringence = np.einsum("i...,i...->...", w, w)
    length = np.sqrt(birefringence)
    return np.divide(w, length, out=np.zeros_like(w), where=length > 0), birefringence


def tilt_span(tilt_deg: Sequence[float]) -> float:
    """Return the angle in degrees between the outermost of some views."""
    return max(tilt_deg) - min(tilt_deg)


def check_tilts(tilt_deg: Sequence[float]) -> None:
    """Refuse views that lie too close together.

    Raises
    ------
    EstimateError
        All tilts lie within 2 degrees.
    """
    if tilt_span(tilt_deg) < MIN_TILT_DEG:
        raise EstimateError(
            f"tilts: found {list(tilt_deg)} deg, expected views at least {MIN_TILT_DEG} deg apart"
            " (closer ones do not tell the depth component of a fibre)"
        )
