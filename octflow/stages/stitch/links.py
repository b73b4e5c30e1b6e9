"""Measure how neighbouring tiles lie, from what both show in their overlap."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.core.correlate import match
from octflow.core.mosaic import Along
from octflow.core.texture import BAND_PX, Floats

Verdict = Literal["trusted", "background", "unclear", "inconsistent"]


@dataclass(frozen=True)
class Link:
    """The measured offset of a tile from its neighbour."""

    first: int
    """Tile with the smaller grid coordinate."""
    second: int
    """Its neighbour."""
    along: Along
    """Grid axis they are neighbours along."""
    offset_px: tuple[float, float]
    """Position (x, y) of the second less that of the first."""
    confidence: float
    """Height of the correlation peak, in robust standard deviations."""
    correlation: float
    """Correlation coefficient."""
    precision: tuple[float, float, float]
    """Inverse covariance (xx, yy, xy) of the offset in 1/px^2."""
    verdict: Verdict
    """Whether the offset counts."""


def find_link(
    pair: tuple[int, int, Along],
    first: Floats,
    second: Floats,
    *,
    step_px: float,
    search_px: int,
    min_confidence: float,
    mask_threshold_db: float,
    band_px: tuple[float, float] = BAND_PX,
) -> Link | None:
    """Measure one pair.

    Parameters
    ----------
    pair : tuple
        Tile, neighbour, axis.
    first, second : (C, Y, X) arrays
        Their maps; channel 0 is the average intensity in dB.
    step_px : float
        Nominal offset along the axis.
    search_px : int
        Largest deviation from it, along both axes; at most a quarter of the tile is searched.
    min_confidence : float
        See `Link.confidence`.
    mask_threshold_db : float
        Overlaps darker than this on average, in either tile, are background.
    band_px : (2,) floats
        Band of the texture that is compared, see `textured`.

    Returns
    -------
    link : Link or None
        None where no shift could be measured at all.
    """
    nominal = (round(step_px), 0) if pair[2] == "x" else (0, round(step_px))
    if not _is_tissue(first[0], second[0], nominal, mask_threshold_db):
        return Link(*pair, (0.0, 0.0), 0.0, 0.0, (0.0, 0.0, 0.0), "background")
    search_px = max(1, min(search_px, min(first.shape[1:]) // 4))
    frames = _common_frame(first, second, nominal, search_px)
    found = match(*frames, search_px=search_px, band_px=band_px)
    if found is None:
        return None
    offset = (nominal[0] - found.shift_x_px, nominal[1] - found.shift_y_px)
    trusted = found.confidence >= min_confidence and min(found.precision[:2]) > 0
    return Link(
        *pair,
        offset,
        found.confidence,
        found.correlation,
        found.precision,
        "trusted" if trusted else "unclear",
    )


def _overlap(size: int, offset: int) -> slice:
    """Where a picture and its copy moved by `offset` overlap, in pixels of the first."""
    return slice(max(0, offset), min(size, size + offset))


def _is_tissue(
    first: Floats, second: Floats, nominal: tuple[int, int], threshold_db: float
) -> bool:
    (n_y, n_x), (x, y) = first.shape, nominal
    parts = first[_overlap(n_y, y), _overlap(n_x, x)], second[_overlap(n_y, -y), _overlap(n_x, -x)]
    levels = [part[np.isfinite(part)] for part in parts]
    return all(level.size and level.mean() >= threshold_db for level in levels)


def _common_frame(
    first: Floats, second: Floats, nominal: tuple[int, int], search_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Put what can overlap within the search range into one frame, NaN where a tile ends."""
    n_c, n_y, n_x = first.shape
    spans = []
    for size, offset in ((n_y, nominal[1]), (n_x, nominal[0])):
        start = max(offset - search_px, min(0, offset))
        spans.append((start, min(size + search_px, max(size, size + offset))))
    (y0, y1), (x0, x1) = spans
    frames = []
    for picture, (at_y, at_x) in ((first, (0, 0)), (second, (nominal[1], nominal[0]))):
        frame = np.full((n_c, y1 - y0, x1 - x0), np.nan, np.float32)
        top, left = max(at_y, y0), max(at_x, x0)
        part = picture[:, top - at_y : y1 - at_y, left - at_x : x1 - at_x]
        frame[:, top - y0 : top - y0 + part.shape[1], left - x0 : left - x0 + part.shape[2]] = part
        frames.append(frame)
    return frames[0], frames[1]
