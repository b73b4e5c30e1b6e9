"""The surface of the tissue: where intensity rises most along an A-line."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter

SIGMA_PX = 5
"""Width of the Gaussian that smooths an A-line, cut off at two sigma: 21 taps."""
WINDOW_PX = 5
"""Samples averaged before and after the surface."""
LEADING_PX = 20
"""Samples that tell whether an A-line begins inside tissue."""
ABOVE_PX, BELOW_PX = 8, 10
"""Samples above and below a found surface that the refinement looks at."""
NEIGHBOURS_PX = 5
"""A-lines along x and y whose profiles the refinement averages, which tames the speckle."""

_NOISE_PX, _SKIRT_PX = 3, 2


class Surface(NamedTuple):
    """First sample of the tissue and the rise of intensity there, (Y, X) float32."""

    index_px: NDArray[np.float32]
    step_db: NDArray[np.float32]


def find_surface(intensity_db: NDArray[np.float32]) -> Surface:
    """Find the steepest rise of every A-line.

    The A-line is smoothed with a Gaussian (sigma 5 px, 21 taps, ends repeated);
    g[j] is the mean of the 5 samples from j + 5 minus the mean of the 5 samples from j; the
    surface is 5 + the first maximum of g.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity, shallow first, at least 10 samples deep.

    Returns
    -------
    surface : Surface
        Index, counted from 0, of the first sample of the tissue; and the maximum of g in dB.

    Examples
    --------
    >>> step = np.where(np.arange(60) < 30, 40, 70).astype(np.float32)
    >>> float(find_surface(step[:, None, None]).index_px[0, 0])
    30.0
    """
    index_px = np.empty(intensity_db.shape[1:], np.float32)
    step_db = np.empty(intensity_db.shape[1:], np.float32)
    _steepest_rise(intensity_db, _rise_taps(), index_px, step_db)
    return Surface(index_px, step_db)


def find_surface_from_threshold(intensity_db: NDArray[np.float32], threshold_db: float) -> Surface:
    """Find the surface as `find_surface` does, except where an A-line begins inside tissue.

    There, that is where the first 20 samples average at least the threshold, the surface is the
    first sample that reaches it.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity, shallow first.
    threshold_db : float
        Intensity of tissue.

    Returns
    -------
    surface : Surface
        As of `find_surface`; inside tissue, the mean of the first samples above the threshold
        is not a rise and `step_db` stays that of the steepest one.
    """
    found = find_surface(intensity_db)
    leading = intensity_db[:LEADING_PX]
    inside = leading.mean(axis=0) >= threshold_db
    first = np.argmax(leading >= threshold_db, axis=0)
    return found._replace(index_px=np.where(inside, first, found.index_px).astype(np.float32))


def find_refined_surface(intensity_db: NDArray[np.float32]) -> Surface:
    """Find the surface as `find_surface` does, then where intensity reaches half its level.

    The steepest rise in dB lies about one sample too shallow, the more the brighter the tissue:
    on that scale the skirt of a bright edge, blurred by the source spectrum, stands out of the
    noise before the edge. The half level of the intensity itself does not depend on brightness.
    It is sought in profiles averaged over 5 x 5 A-lines, each counted from its own surface after
    the 3 x 3 median.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity, shallow first.

    Returns
    -------
    surface : Surface
        Index with fractions of a sample; the median surface where within 8 samples above it the
        intensity does not fall below half. `step_db` is that of `find_surface`.

    Examples
    --------
    >>> step = np.where(np.arange(60) < 30, 40, 70).astype(np.float32)
    >>> float(find_refined_surface(step[:, None, None]).index_px[0, 0].round(2))
    30.0
    """
    found = find_surface(intensity_db)
    smooth = smooth_surface(found.index_px)
    profiles = profiles_around(intensity_db, smooth, above_px=ABOVE_PX, below_px=BELOW_PX)
    for plane in profiles:
        uniform_filter(plane, NEIGHBOURS_PX, output=plane, mode="nearest")
    noise = profiles[:_NOISE_PX].mean(axis=0)
    tissue = profiles[ABOVE_PX + _SKIRT_PX :].mean(axis=0)
    crossing_px = _crossing_above(profiles, (noise + tissue) / 2, ABOVE_PX + _SKIRT_PX)
    # Scatterers of the first sample fill half a sample above it.
    refined = np.rint(smooth) - ABOVE_PX + crossing_px + 0.5
    index_px = np.where(np.isnan(crossing_px), smooth, refined)
    return found._replace(index_px=np.clip(index_px, 0, len(intensity_db) - 1).astype(np.float32))


def profiles_around(
    intensity_db: NDArray[np.float32],
    surface_px: NDArray[np.float32],
    *,
    above_px: int,
    below_px: int,
) -> NDArray[np.float32]:
    """Cut the linear intensity around the surface out of every A-line.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    surface_px : (Y, X) float32 array
        Surface; rounded.
    above_px, below_px : int
        Samples above the surface, and from it down.

    Returns
    -------
    profiles : (above_px + below_px, Y, X) float32 array
        The surface is at `above_px`; samples beyond the volume repeat the last one.
    """
    depth = np.rint(surface_px).astype(np.int64) + np.arange(-above_px, below_px)[:, None, None]
    around = np.take_along_axis(intensity_db, np.clip(depth, 0, len(intensity_db) - 1), axis=0)
    return np.power(np.float32(10), around / np.float32(10))


def _crossing_above(
    profiles: NDArray[np.float32], level: NDArray[np.float32], first: int
) -> NDArray[np.float32]:
    """Go up from sample `first` and interpolate where a profile falls below its level, or NaN."""
    crossing = np.full(level.shape, np.nan, np.float32)
    open_ = profiles[first] >= level
    for z in range(first - 1, -1, -1):
        upper, lower = profiles[z + 1], profiles[z]
        here = open_ & (lower < level)
        crossing[here] = z + ((level - lower) / np.where(here, upper - lower, 1))[here]
        open_ &= ~here
    return crossing


def smooth_surface(index_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the 3 x 3 median over (Y, X), the map mirrored at its borders."""
    smooth: NDArray[np.float32] = median_filter(index_px, size=3, mode="reflect")
    return smooth


def _rise_taps() -> NDArray[np.float32]:
    """Combine Gaussian and difference of means to one antisymmetric filter of 30 taps."""
    distance = np.arange(-2 * SIGMA_PX, 2 * SIGMA_PX + 1)
    gaussian = np.exp(-0.5 * (distance / SIGMA_PX) ** 2)
    difference = np.repeat([-1.0, 1.0], WINDOW_PX) / WINDOW_PX
    return np.convolve(gaussian / gaussian.sum(), difference).astype(np.float32)


@njit(nogil=True, cache=True)
def _steepest_rise(
    intensity_db: NDArray[np.float32],
    taps: NDArray[np.float32],
    index_px: NDArray[np.float32],
    step_db: NDArray[np.float32],
) -> None:
    """Filter all A-lines of a B-line side by side, which memory order and vector units like."""
    n_z, n_y, n_x = intensity_db.shape
    reach = 2 * SIGMA_PX
    last = taps.size - 1
    rise = np.empty(n_x, np.float32)
    for y in range(n_y):
        step_db[y] = -np.inf
        for j in range(n_z - 2 * WINDOW_PX + 1):
            rise[:] = 0
            for t in range(taps.size // 2):
                before = intensity_db[min(max(j + t - reach, 0), n_z - 1), y]
                after = intensity_db[min(max(j + last - t - reach, 0), n_z - 1), y]
                tap = taps[last - t]
                for x in range(n_x):
                    rise[x] += tap * (after[x] - before[x])
            for x in range(n_x):
                if rise[x] > step_db[y, x]:
                    step_db[y, x] = rise[x]
                    index_px[y, x] = j + WINDOW_PX
