"""Measure how neighbouring tiles lie, from what both show in their overlap."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

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
    x, y = (max(step - search_px, 0) for step in nominal)
    # What of the tiles can overlap within the search range.
    strips = first[:, y:, x:], second[:, : first.shape[1] - y, : first.shape[2] - x]
    around = (x - nominal[0], y - nominal[1])
    # From a sigma of 1 px on every other pixel tells as much.
    step_px = 2 if band_px[0] >= 1 else 1
    found = match(*strips, search_px=search_px, around_px=around, band_px=band_px, step_px=step_px)
    if found is None:
        return None
    offset = (x - found.shift_x_px, y - found.shift_y_px)
    trusted = found.confidence >= min_confidence and min(found.precision[:2]) > 0
    return Link(
        *pair,
        offset,
        found.confidence,
        found.correlation,
        found.precision,
        "trusted" if trusted else "unclear",
    )


def _is_tissue(
    first: Floats, second: Floats, nominal: tuple[int, int], threshold_db: float
) -> bool:
    x, y = nominal
    overlaps = first[y:, x:], second[: first.shape[0] - y, : first.shape[1] - x]
    return all(_mean(overlap) >= threshold_db for overlap in overlaps)


def _mean(picture: Floats) -> float:
    """Mean over what is there, NaN where nothing is."""
    mean = float(picture.mean()) if picture.size else np.nan
    if not np.isnan(mean):
        return mean
    there = picture[np.isfinite(picture)]
    return float(there.mean()) if there.size else np.nan
