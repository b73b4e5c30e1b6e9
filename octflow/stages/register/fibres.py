"""From the maps of all views of a slice to its field of 3-D fibre axes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from octflow.stages.register.axis3d import half_vectors
from octflow.stages.register.uncertainty import Fibres, covariance, split
from octflow.stages.register.views import choices, seen_by, solve_field
from octflow.stages.register.warp import smooth_dyad, warp_axis, warp_scalar

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class View:
    """The maps (Y, X) of one illumination of a slice."""

    name: str
    """Illumination."""
    tilt_deg: float
    """Tilt of the beam about y."""
    image: Floats
    """Map that registration compares; NaN where nothing was seen."""
    birefringence: Floats
    """Apparent birefringence."""
    axis_deg: Floats
    """Apparent azimuth, from +x towards +y."""
    valid: Mask
    """Tissue with finite values."""


@dataclass(frozen=True)
class FibreField:
    """3-D fibre axes of a slice on the pixels of the fixed view."""

    axis: Floats
    """(3, Y, X) unit vectors (x, y, z), z deeper; 0 where not valid."""
    birefringence: Floats
    """(Y, X) true birefringence; NaN where not valid."""
    valid: Mask
    """(Y, X): seen by enough views, and birefringent."""
    misfit: Floats
    """(Y, X) root mean square of what the views contradict each other, in sqrt(birefringence)."""
    noise: float
    """Standard deviation of what a view measures, for the whole slice: robustly, or as given."""
    uncertainty_deg: Floats
    """(Y, X) root mean square error of the axis that this noise causes; NaN where not valid."""
    inclination_uncertainty_deg: Floats
    """(Y, X) the same of the inclination."""


def warped_view(view: View, matrix: NDArray, shape: tuple[int, int], rotation_deg: float) -> View:
    """Bring a view onto the pixels of another one.

    Parameters
    ----------
    view : View
        Moving view.
    matrix : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y).
    shape : (2,) ints
        Size (Y, X) of the fixed view.
    rotation_deg : float
        Rotation part of the matrix.
    """
    birefringence, valid = warp_scalar(view.birefringence, view.valid, matrix, shape)
    axis_deg, _ = warp_axis(
        view.axis_deg, view.birefringence, view.valid, matrix, shape, rotation_deg=rotation_deg
    )
    image, seen = warp_scalar(view.image, np.isfinite(view.image), matrix, shape)
    return replace(
        view,
        image=np.where(seen, image, np.nan),
        birefringence=birefringence,
        axis_deg=axis_deg,
        valid=valid,
    )


def smoothed_view(view: View, sigma_px: float) -> View:
    """Average birefringence and axis of a view over the tissue around each pixel."""
    birefringence, axis_deg = smooth_dyad(
        view.birefringence, view.axis_deg, view.valid, sigma_px=sigma_px
    )
    return replace(view, birefringence=birefringence, axis_deg=axis_deg)


def fibre_field(
    views: Sequence[View], weights: Sequence[float], *, noise: float | None = None
) -> FibreField:
    """Solve for the 3-D axis wherever at least two views see tissue.

    Parameters
    ----------
    views : sequence of View
        On the same pixels.
    weights : sequence of float
        Weight of each view.
    noise : float, optional
        Standard deviation of the components of p; estimated from the misfit where not given.

    Returns
    -------
    field : FibreField
        Axes and birefringence.

    Raises
    ------
    EstimateError
        The tilts are too much alike.
    """
    tilts, valid = [v.tilt_deg for v in views], np.stack([v.valid for v in views])
    w, cost, noise = solve_field(_projections(views), valid, tilts, weights=weights, noise=noise)
    fibres = Fibres.empty(cost.shape, cost.dtype)
    for chosen in choices(tilts):
        spread = covariance([tilts[i] for i in chosen], [weights[i] for i in chosen])
        split(w, seen_by(valid, chosen), noise**2 * spread, fibres)
    determined = np.isfinite(fibres.birefringence)
    misfit = np.sqrt(cost, out=cost)
    misfit[~determined] = np.nan
    return FibreField(
        axis=w,
        birefringence=fibres.birefringence,
        valid=determined,
        misfit=misfit,
        noise=noise,
        uncertainty_deg=fibres.axis_deg,
        inclination_uncertainty_deg=fibres.inclination_deg,
    )


def _projections(views: Sequence[View]) -> Floats:
    """Return p (V, 2, Y, X) of every view."""
    maps = [v.birefringence for v in views] + [v.axis_deg for v in views]
    p = np.empty((len(views), 2, *views[0].valid.shape), np.result_type(*maps, np.float32))
    for view, one in zip(views, p, strict=True):
        half_vectors(view.birefringence, view.axis_deg, out=one)
    return p


def seen_fraction(fixed: View, moving: View) -> float:
    """Return the part of the smaller tissue that both views see, on the same pixels."""
    smaller = min(fixed.valid.sum(), moving.valid.sum())
    return float((fixed.valid & moving.valid).sum() / smaller) if smaller else 0.0
