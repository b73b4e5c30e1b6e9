"""Averages over neighbours that measure the same, which stop at the rims of bundles.

Propagation and separation (Polzehl and Spokoiny, Probab. Theory Relat. Fields 135, 2006): in steps
of growing radius every pixel is averaged with the neighbours whose averages of the step before do
not differ from its own by more than noise allows. What is averaged are dyads B exp(2i phi), the
squares of p = sqrt(B) exp(i phi) as complex numbers: noise of p has no mean direction, and leaves
their mean alone, other than that of B. Compared is p itself, whose noise is the same everywhere.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Stretch = tuple[int, int, int]
"""Line, first pixel and the one behind the last."""

LIKENESS = 150.0
"""Squared distance of single pixels, in noise variances, at which they no longer count as alike:
so wide that uniform tissue is averaged as if by plain weights, found on simulated slices."""
FIRST_RADIUS_PX = 1.5
"""The first step takes in the eight neighbours."""
GROWTH = 2.5
"""Radius of a step over that of the step before, at most."""
_AT_A_TIME_PX = 1024
"""Pixels of a line whose sums are held together, to stay in the cache."""


class Step(NamedTuple):
    """The neighbours that one step looks at."""

    offsets: NDArray[np.int64]
    """(N, 2) places (y, x) relative to a pixel."""
    weights: NDArray[np.float32]
    """(N,) what they count by their distance."""

    @property
    def reach(self) -> int:
        """Lines above and below that the step looks at."""
        return int(self.offsets.max())


class Pixels(NamedTuple):
    """What a step knows of every pixel."""

    dyads: Floats
    """(V, 2, Y, X) as they were measured."""
    halves: Floats
    """(V, 2, Y, X) p of their averages so far, times the root of the weight of the view."""
    tightness: Floats
    """(Y, X) what squared differences are multiplied by; pixels are alike below 1."""
    code: Floats
    """(Y, X) which views see a pixel."""


def radii_px(pixels: float, largest_px: float) -> list[float]:
    """Choose the radii of the steps so that the last one averages over about so many pixels.

    Weights that fall as 1 - (distance/radius)^2 average as 3 pi/4 radius^2 equal ones do.

    Parameters
    ----------
    pixels : float
        Number of pixels.
    largest_px : float
        Radius that is not exceeded.

    Returns
    -------
    radii : list of float
        In even ratio, from 1.5 px; none where no neighbour is needed.

    Examples
    --------
    >>> radii_px(150, 10), radii_px(1.0, 10)
    ([1.5, 3.46, 7.979], [])
    """
    last = min(math.sqrt(4 * pixels / (3 * math.pi)), largest_px)
    if last <= 1:
        return []
    if last <= FIRST_RADIUS_PX:
        return [round(last, 3)]
    count = max(1, math.ceil(math.log(last / FIRST_RADIUS_PX, GROWTH) - 0.25))
    ratio = (last / FIRST_RADIUS_PX) ** (1 / count)
    return [round(FIRST_RADIUS_PX * ratio**i, 3) for i in range(count + 1)]


def step_of(radius_px: float) -> Step:
    """List the neighbours within a radius.

    Examples
    --------
    >>> step_of(1.2).offsets.tolist()
    [[-1, 0], [0, -1], [0, 0], [0, 1], [1, 0]]
    """
    reach = math.ceil(radius_px)
    y, x = (one.ravel() for one in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    weight = 1 - (y**2 + x**2) / radius_px**2
    near = weight > 1e-6
    return Step(np.stack([y, x], axis=1)[near], weight[near].astype(np.float32))


def average_alike(
    dyads: Floats,
    code: Floats,
    steps: list[Step],
    noise: float,
    *,
    root_weights: Floats,
    lines: tuple[int, int],
) -> tuple[Floats, Floats]:
    """Average the dyads of all views over the pixels around each that measure the same.

    Parameters
    ----------
    dyads : (V, 2, Y, X) array of float32
        B (cos 2 phi, sin 2 phi) of every view.
    code : (Y, X) array of float32
        Which views see a pixel; only pixels of one code are averaged with each other.
    steps : list of Step
        Of growing radius.
    noise : float
        Standard deviation of the components of p of single pixels; 0 averages equal pixels only.
    root_weights : (V,) array
        Roots of the weights of the views, by which their differences count.
    lines : (2,) ints
        First line that is asked for, and the one behind the last.

    Returns
    -------
    averages : (V, 2, lines, X) array
        Dyads; with a halo of the sum of reaches the same as for the whole image.
    share : (lines, X) array
        Variance of the average over that of a pixel.
    """
    n_y = code.shape[0]
    averages, share = dyads, np.ones(code.shape, np.float32)
    margins = np.cumsum([0, *(step.reach for step in steps[:0:-1])])[::-1]
    for step, margin in zip(steps, margins, strict=False):
        halves = np.empty_like(dyads)
        _halve(averages, root_weights.astype(np.float32), halves)
        found, found_share = np.zeros_like(dyads), np.ones_like(share)
        where = max(0, lines[0] - margin), min(n_y, lines[1] + margin)
        tightness = np.float32(1 / max(LIKENESS * noise**2, 1e-30)) / share
        _average(Pixels(dyads, halves, tightness, code), step, where, found, found_share)
        averages, share = found, found_share
    return averages[:, :, slice(*lines)], share[slice(*lines)]


@njit(nogil=True, cache=True)
def _halve(dyads: Floats, root_weights: Floats, halves: Floats) -> None:
    """Take the square root of dyads as complex numbers: p, of either sign.

    The larger component comes first: the smaller one as a difference would lose half its digits.
    """
    half, tiny = np.float32(0.5), np.float32(1e-30)
    for v in range(dyads.shape[0]):
        weight = root_weights[v]
        for y in range(dyads.shape[2]):
            c, s = dyads[v, 0, y], dyads[v, 1, y]
            for x in range(c.size):
                length = np.sqrt(c[x] * c[x] + s[x] * s[x])
                larger = np.sqrt(half * (length + abs(c[x])))
                smaller = half * abs(s[x]) / max(larger, tiny)
                other = weight * (smaller if c[x] >= 0 else larger)
                halves[v, 0, y, x] = weight * (larger if c[x] >= 0 else smaller)
                halves[v, 1, y, x] = -other if s[x] < 0 else other


@njit(nogil=True, cache=True)
def _average(
    pixels: Pixels, step: Step, lines: tuple[int, int], averages: Floats, share: Floats
) -> None:
    """Do one step for some lines; loops over x are plain, so that they become vector code."""
    n_views, _, n_y, n_x = pixels.dyads.shape
    sums = np.empty((2 * n_views + 2, _AT_A_TIME_PX), np.float32)
    weight = np.empty(_AT_A_TIME_PX, np.float32)
    for y in range(lines[0], lines[1]):
        for first in range(0, n_x, _AT_A_TIME_PX):
            last = min(first + _AT_A_TIME_PX, n_x)
            sums[:] = 0
            for k in range(step.weights.size):
                y_2, by = y + step.offsets[k, 0], step.offsets[k, 1]
                a, b = max(first, -by), min(last, n_x - by)
                if 0 <= y_2 < n_y and a < b:
                    here, there, at = (y, a, b), (y_2, a + by, b + by), weight[: b - a]
                    _weigh(pixels, here, there, step.weights[k], at)
                    _add(pixels.dyads, there, at, sums, a - first)
            _divide(sums, (y, first, last), averages, share)


@njit(nogil=True, cache=True)
def _weigh(pixels: Pixels, here: Stretch, there: Stretch, near: float, weight: Floats) -> None:
    """Weigh neighbours by how little p of all views differs; its sign means nothing."""
    y, a, b = here
    y_2, a_2, b_2 = there
    one, nothing = np.float32(1), np.float32(0)
    weight[:] = 0
    for v in range(pixels.halves.shape[0]):
        p_x, p_y = pixels.halves[v, 0, y, a:b], pixels.halves[v, 1, y, a:b]
        q_x, q_y = pixels.halves[v, 0, y_2, a_2:b_2], pixels.halves[v, 1, y_2, a_2:b_2]
        for i in range(weight.size):
            same = p_x[i] * q_x[i] + p_y[i] * q_y[i]
            sign = one if same >= 0 else -one
            by_x, by_y = p_x[i] - sign * q_x[i], p_y[i] - sign * q_y[i]
            weight[i] += by_x * by_x + by_y * by_y
    tightness, code, code_2 = (
        pixels.tightness[y, a:b],
        pixels.code[y, a:b],
        pixels.code[y_2, a_2:b_2],
    )
    for i in range(weight.size):
        alike = near * max(one - weight[i] * tightness[i], nothing)
        weight[i] = alike if code[i] == code_2[i] else nothing


@njit(nogil=True, cache=True)
def _add(dyads: Floats, there: Stretch, weight: Floats, sums: Floats, first: int) -> None:
    """Add a neighbour to the sums: dyads of all views, then weights and their squares."""
    y, a, b = there
    n_views, last = dyads.shape[0], first + weight.size
    for v in range(n_views):
        for j in range(2):
            values, to = dyads[v, j, y, a:b], sums[2 * v + j, first:last]
            for i in range(weight.size):
                to[i] += weight[i] * values[i]
    total, squares = sums[2 * n_views, first:last], sums[2 * n_views + 1, first:last]
    for i in range(weight.size):
        total[i] += weight[i]
        squares[i] += weight[i] * weight[i]


@njit(nogil=True, cache=True)
def _divide(sums: Floats, where: Stretch, averages: Floats, share: Floats) -> None:
    """Write averages and the shares of the variance that is left."""
    y, first, last = where
    n_views = averages.shape[0]
    for i in range(last - first):
        total = sums[2 * n_views, i]
        share[y, first + i] = sums[2 * n_views + 1, i] / (total * total)
        for v in range(n_views):
            for j in range(2):
                averages[v, j, y, first + i] = sums[2 * v + j, i] / total
