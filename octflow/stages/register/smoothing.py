"""How the views of a slice are averaged before the axis is solved for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from octflow.core.axial import doubled, undoubled
from octflow.stages.register.adaptive import Step, average_alike, radii_px, step_of
from octflow.stages.register.blocks import over_lines
from octflow.stages.register.fibres import Floats, View, misfit_noise, smoothed_view
from octflow.stages.register.uncertainty import covariance


@dataclass(frozen=True)
class Smoothing:
    """What to average over."""

    kind: Literal["adaptive", "gaussian", "none"] = "adaptive"
    """Over like pixels, over all, or not at all."""
    sigma_px: float = 1.0
    """Of the Gaussian; also of a lone view, whose noise nothing tells."""
    goal_deg: float = 1.0
    """Error of depth that a flat fibre of median birefringence should have afterwards."""
    radius_px: float = 10.0
    """Radius within which like pixels are looked for, at most."""


@dataclass(frozen=True)
class Averaged:
    """Views after averaging, and what is left of their noise."""

    views: list[View]
    """In the order given."""
    share: Floats | None
    """(Y, X) variance over that of a single pixel; None where that is one number."""
    noise: float | None
    """Noise of single pixels as far as it was measured before; None where it was not."""


def averaged_views(
    views: Sequence[View],
    weights: Sequence[float],
    how: Smoothing,
    *,
    noise: float | None = None,
    threads: int = 1,
) -> Averaged:
    """Average birefringence and axis of all views over the tissue around each pixel.

    Parameters
    ----------
    views : sequence of View
        On the same pixels.
    weights : sequence of float
        Weight of each view.
    how : Smoothing
        Over what.
    noise : float, optional
        Standard deviation of the components of p in single pixels; from the misfit of the views
        where not given. It decides what is alike, and how many pixels are needed.
    threads : int
        Blocks of lines that are worked on at a time.

    Returns
    -------
    averaged : Averaged
        The same on any number of threads.
    """
    if how.kind == "none":
        return Averaged(list(views), None, None)
    if how.kind == "gaussian" or len(views) < 2:
        return Averaged([smoothed_view(view, how.sigma_px) for view in views], None, None)
    noise = misfit_noise(views, weights, threads=threads) if noise is None else noise
    radii = radii_px(pixels_needed(views, weights, noise, how.goal_deg), how.radius_px)
    if not radii:
        return Averaged(list(views), None, noise)
    return _averaged_alike(views, weights, noise, [step_of(r) for r in radii], threads)


def pixels_needed(
    views: Sequence[View], weights: Sequence[float], noise: float, goal_deg: float
) -> float:
    """Return how many pixels must be averaged for the depth of a flat fibre to err by the goal.

    The component in depth has the largest variance; the fibre has the median birefringence of the
    views.
    """
    strengths = [float(np.median(v.birefringence[v.valid])) for v in views if v.valid.any()]
    if not strengths or noise == 0:
        return 0.0
    depth = covariance([view.tilt_deg for view in views], weights)[2, 2]
    birefringence = max(float(np.mean(strengths)), np.finfo(np.float32).tiny)
    return float(noise**2 * depth / birefringence / np.deg2rad(goal_deg) ** 2)


def _averaged_alike(
    views: Sequence[View], weights: Sequence[float], noise: float, steps: list[Step], threads: int
) -> Averaged:
    places = 2.0 ** np.arange(len(views), dtype=np.float32)
    code = sum(v.valid * place for v, place in zip(views, places, strict=True))
    roots = np.sqrt(np.asarray(weights, np.float32) / np.mean(weights))
    share = np.empty(code.shape, np.float32)
    found = [
        replace(v, birefringence=np.empty_like(share), axis_deg=np.empty_like(share)) for v in views
    ]
    halo = sum(step.reach for step in steps)

    def average(lines: slice) -> None:
        first, last = max(0, lines.start - halo), lines.stop + halo
        inner = lines.start - first, lines.stop - first
        dyads = np.stack([_dyad(view, slice(first, last)) for view in views])
        means, share[lines] = average_alike(
            dyads, code[first:last], steps, noise, root_weights=roots, lines=inner
        )
        for view, (c, s) in zip(found, means, strict=True):
            view.birefringence[lines] = np.hypot(c, s)
            view.axis_deg[lines] = np.where(view.valid[lines], undoubled(c, s), 0)

    over_lines(code.shape[0], average, threads)
    return Averaged(found, share, noise)


def _dyad(view: View, lines: slice) -> Floats:
    """Return B (cos 2 phi, sin 2 phi) of some lines, 0 where not valid."""
    valid = view.valid[lines]
    length = np.where(valid, np.maximum(view.birefringence[lines], 0), 0)
    cos_2a, sin_2a = doubled(np.where(valid, view.axis_deg[lines], 0))
    return np.stack([length * cos_2a, length * sin_2a]).astype(np.float32)
