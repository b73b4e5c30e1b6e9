"""From the maps of all views of a slice to its field of 3-D fibre axes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.stages.register.axis3d import check_tilts, half_vectors
from octflow.stages.register.blocks import over_lines
from octflow.stages.register.reference import refine
from octflow.stages.register.uncertainty import Fibres, covariance, split
from octflow.stages.register.views import choices, misfit_of, noise_of, seen_by, solve_field
from octflow.stages.register.warp import smooth_dyad, warp_axis, warp_scalar

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]
Mode = Literal["closed", "reference"]


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
    """Standard deviation of what a view measures in a pixel that is not averaged, for the whole
    slice: robustly, or as given."""
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
    views: Sequence[View],
    weights: Sequence[float],
    *,
    noise: float | None = None,
    share: Floats | None = None,
    mode: Mode = "closed",
    threads: int = 1,
) -> FibreField:
    """Solve for the 3-D axis wherever at least two views see tissue.

    Blocks of lines are solved for on some threads; what they hold is little beside the maps.

    Parameters
    ----------
    views : sequence of View
        On the same pixels.
    weights : sequence of float
        Weight of each view.
    noise : float, optional
        Standard deviation of the components of p of a pixel that is not averaged; estimated from
        the misfit where not given.
    share : (Y, X) array, optional
        Part of its variance that is left where pixels were averaged; 1 where not given.
    mode : str
        Whether the solution is the closed form, or the minimum of the reference's cost near it.
    threads : int
        Blocks that are worked on at a time.

    Returns
    -------
    field : FibreField
        Axes and birefringence, the same on any number of threads.

    Raises
    ------
    EstimateError
        The tilts are too much alike.
    """
    tilts = [view.tilt_deg for view in views]
    check_tilts(tilts)
    if noise is None:
        noise = misfit_noise(views, weights, share=share, threads=threads)
    shape, dtype = views[0].valid.shape, _dtype(views)
    w, misfit = np.empty((3, *shape), dtype), np.empty(shape, dtype)
    fibres = Fibres.empty(shape, dtype)

    def solve(lines: slice) -> None:
        valid = np.stack([view.valid[lines] for view in views])
        left = np.ones(valid.shape[1:], dtype) if share is None else share[lines]
        p = _projections(views, lines)
        one, cost, _ = solve_field(p, valid, tilts, weights=weights, noise=noise, share=left)
        if mode == "reference":
            for chosen in choices(tilts):
                here = seen_by(valid, chosen)
                refine(p, here, chosen, tilts, weights=weights, w=one)
        block = Fibres(*(np.full(cost.shape, np.nan, dtype) for _ in fibres))
        for chosen in choices(tilts):
            spread = covariance([tilts[i] for i in chosen], [weights[i] for i in chosen])
            split(one, seen_by(valid, chosen), noise**2 * spread, block, share=left)
        w[:, lines], misfit[lines] = one, np.sqrt(cost)
        for to, found in zip(fibres, block, strict=True):
            to[lines] = found

    over_lines(shape[0], solve, threads)
    determined = np.isfinite(fibres.birefringence)
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


def misfit_noise(
    views: Sequence[View],
    weights: Sequence[float],
    *,
    share: Floats | None = None,
    threads: int = 1,
) -> float:
    """Estimate the noise of a pixel from what the views contradict each other.

    Parameters
    ----------
    views, weights, share, threads
        As for `fibre_field`.

    Returns
    -------
    noise : float
        Standard deviation of the components of p, from where the most views are valid.
    """
    tilts, valid = [view.tilt_deg for view in views], np.stack([view.valid for view in views])
    chosen = next((c for c in choices(tilts) if seen_by(valid, c).any()), None)
    if chosen is None:
        return 0.0
    here = seen_by(valid, chosen)
    cost = np.empty(here.shape, _dtype(views))

    def measure(lines: slice) -> None:
        p = _projections(views, lines)
        cost[lines] = misfit_of(p, here[lines], chosen, tilts, weights=weights)
        if share is not None:
            cost[lines] /= share[lines]

    over_lines(here.shape[0], measure, threads)
    return noise_of(cost[here], len(chosen))


def _dtype(views: Sequence[View]) -> np.dtype:
    maps = [v.birefringence for v in views] + [v.axis_deg for v in views]
    return np.result_type(*maps, np.float32)


def _projections(views: Sequence[View], lines: slice) -> Floats:
    """Return p (V, 2, lines, X) of every view."""
    p = np.empty((len(views), 2, *views[0].valid[lines].shape), _dtype(views))
    for view, one in zip(views, p, strict=True):
        half_vectors(view.birefringence[lines], view.axis_deg[lines], out=one)
    return p


def seen_fraction(fixed: View, moving: View) -> float:
    """Return the part of the smaller tissue that both views see, on the same pixels."""
    smaller = min(fixed.valid.sum(), moving.valid.sum())
    return float((fixed.valid & moving.valid).sum() / smaller) if smaller else 0.0
