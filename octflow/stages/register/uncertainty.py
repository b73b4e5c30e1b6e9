"""How well the noise of the views lets a fibre axis be known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.stages.register.axis3d import projection_matrix

Floats = NDArray[np.floating]

AXIS_OF_NOTHING_DEG = float(np.rad2deg(np.sqrt(np.pi - 2)))
"""Root mean square angle between axes evenly over the sphere: more is never predicted."""
INCLINATION_OF_NOTHING_DEG = float(np.rad2deg(np.sqrt(np.pi**2 / 4 - 2)))
"""Standard deviation of their inclination."""


class Fibres(NamedTuple):
    """Maps (Y, X) that w is split into, NaN where there is no axis."""

    birefringence: Floats
    """True birefringence."""
    axis_deg: Floats
    """Predicted root mean square angle between the found axis and the true one."""
    inclination_deg: Floats
    """Predicted standard deviation of the inclination."""

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: np.dtype) -> "Fibres":
        """Return maps without any axis."""
        return cls(*(np.full(shape, np.nan, dtype) for _ in cls._fields))


def covariance(tilt_deg: Sequence[float], weights: Sequence[float] | None = None) -> Floats:
    """Return the covariance (3, 3) of w for noise of unit variance: (A^T W A)^-1.

    A stacks the projections on all views, W their weights, which are inverse variances up to a
    factor (mean 1). The depth component takes 1 / sin of the tilt.

    Parameters
    ----------
    tilt_deg : (V,) floats
        Tilts about y, at least two different ones.
    weights : (V,) floats, optional
        Equal where not given.

    Examples
    --------
    Two views g apart: (1 + cos^2 g) / sin^2 g along z, 1/2 along y.

    >>> covariance((0, 30)).diagonal().round(6).tolist()
    [1.0, 0.5, 7.0]
    """
    share = np.ones(len(tilt_deg)) if weights is None else np.asarray(weights, float)
    normal = np.zeros((3, 3))
    for weight, tilt in zip(share / share.mean(), tilt_deg, strict=True):
        design = projection_matrix(tilt)
        normal += weight * design.T @ design
    return np.linalg.pinv(normal)


def split(
    w: Floats,
    chosen: NDArray[np.bool_],
    variance: Floats,
    to: Fibres,
    *,
    share: Floats | None = None,
) -> None:
    """Split w into axis and birefringence, and propagate the noise of w to the axis.

    To first order an error e of w turns the axis u by |e - u (u e)| / |w|, whose mean square is
    (tr C - u^T C u) / |w|^2 for errors of covariance C, and changes its inclination by the part
    of e towards the pole. Steep fibres of a pair of views, and signs that the noise hides, are
    beyond first order.

    Parameters
    ----------
    w : (3, ...) array
        sqrt(birefringence) * axis; replaced by unit axes, and by 0 where it is 0.
    chosen : (...) array of bool
        Pixels to split.
    variance : (3, 3) array
        Covariance of w there, in units of birefringence.
    to : Fibres
        Maps (...) to fill there.
    share : (...) array, optional
        What the variance of a pixel is multiplied by; 1 where not given.
    """
    flat = (one.reshape(-1) for one in to)
    left = np.ones(chosen.shape, w.dtype) if share is None else share
    parts = np.array([*variance.diagonal(), variance[0, 2]])
    _split(w.reshape(3, -1), chosen.reshape(-1), parts, left.reshape(-1), *flat)


@njit(nogil=True, cache=True)
def _split(
    w: Floats,
    chosen: NDArray[np.bool_],
    variance: Floats,
    share: Floats,
    birefringence: Floats,
    axis_deg: Floats,
    inclination_deg: Floats,
) -> None:
    """Loop over the pixels; tilts about y leave y independent of x and z."""
    for i in range(chosen.size):
        x, y, z = float(w[0, i]), float(w[1, i]), float(w[2, i])
        dn = x * x + y * y + z * z
        if not chosen[i] or dn == 0:
            continue
        length = np.sqrt(dn)
        x, y, z = x / length, y / length, z / length
        across = variance[0] + variance[1] + variance[2] - _along(variance, x, y, z)
        across = share[i] * across
        upwards = share[i] * _along(variance, *_towards_pole(x, y, z))
        w[0, i], w[1, i], w[2, i] = x, y, z
        birefringence[i] = dn
        axis_deg[i] = min(np.rad2deg(np.sqrt(max(across, 0) / dn)), AXIS_OF_NOTHING_DEG)
        inclination_deg[i] = min(np.rad2deg(np.sqrt(upwards / dn)), INCLINATION_OF_NOTHING_DEG)


@njit(nogil=True, cache=True)
def _along(variance: Floats, x: float, y: float, z: float) -> float:
    """Return the variance of w along a unit vector."""
    return variance[0] * x * x + variance[1] * y * y + variance[2] * z * z + 2 * variance[3] * x * z


@njit(nogil=True, cache=True)
def _towards_pole(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the unit vector across an axis along which its inclination rises."""
    flat = np.sqrt(x * x + y * y)
    if flat == 0:
        return 1.0, 0.0, 0.0
    return -z * x / flat, -z * y / flat, flat
