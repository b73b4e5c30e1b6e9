"""What records and pictures tell of the focus plane and of volumes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Floats, Layout
from octflow.core.record import Gate
from octflow.io.omezarr import read_volume
from octflow.io.picture import Panel, panel_of
from octflow.stages.volume.focus import Focus
from octflow.stages.volume.settings import VolumeSettings

Numbers = dict[str, float | int | str | None]

_SECTION_PX = 1024
"""Sections are taken from the first level that is not longer than this."""


def focus_numbers(fitted: Focus) -> Numbers:
    """Measure the overlap differences before and after, over what the fit trusted."""
    return {
        "overlap_rms_before_px": _rms(fitted.before_px[fitted.kept]),
        "overlap_rms_after_px": _rms(fitted.after_px[fitted.kept]),
        "overlap_blocks": int(fitted.kept.size),
        "overlap_blocks_kept_fraction": float(fitted.kept.mean()) if fitted.kept.size else None,
        "focus_range_px": float(np.ptp(fitted.pattern_px)),
    }


def focus_gates(numbers: Numbers, settings: VolumeSettings) -> list[Gate]:
    """Judge whether the pattern makes neighbours agree better."""
    before, after = numbers["overlap_rms_before_px"], numbers["overlap_rms_after_px"]
    gain = None
    if before is not None and after is not None:
        gain = float(before) / max(float(after), 1e-6)
    good = gain is not None and gain >= settings.min_focus_gain
    bound = settings.min_focus_gain
    return [Gate(name="focus_gain", verdict="pass" if good else "warn", value=gain, bound=bound)]


def gate_warnings(gates: list[Gate]) -> list[str]:
    """Say in words what did not pass."""
    return [f"{g.name}: found {g.value}, bound {g.bound}" for g in gates if g.verdict != "pass"]


def focus_panels(fitted: Focus, layout: Layout, surfaces_px: Mapping[int, Floats]) -> list[Panel]:
    """Show the pattern, and the surfaces side by side before and after."""
    before = _pasted(layout, surfaces_px, 0 * fitted.pattern_px)
    after = _pasted(layout, surfaces_px, fitted.pattern_px)
    return [
        Panel("focus pattern", fitted.pattern_px, "px", None, "viridis"),
        Panel("surfaces before", before, "px", None, "viridis"),
        Panel("surfaces after", after, "px", None, "viridis"),
    ]


def section_panels(path: Path, modality: str) -> list[Panel]:
    """Show the middle section along each axis."""
    level = 0
    while max((volume := read_volume(path, level)).shape) > _SECTION_PX:
        level += 1
    z, y, x = (n // 2 for n in volume.shape)
    return [
        panel_of(modality, np.asarray(volume[z]), f"{modality}, depth {z * 2**level} px"),
        panel_of(modality, np.asarray(volume[:, y]), f"{modality}, y {y * 2**level} px"),
        panel_of(modality, np.asarray(volume[:, :, x]), f"{modality}, x {x * 2**level} px"),
    ]


def _pasted(
    layout: Layout, surfaces_px: Mapping[int, Floats], pattern_px: Floats
) -> NDArray[np.float32]:
    """Put tiles on the nearest pixel, one over the other, so that steps stay visible."""
    picture = np.full(layout.shape, np.nan, np.float32)
    n_y, n_x = layout.tile_shape
    for tile in sorted(surfaces_px):
        x, y = (round(p) for p in layout.positions_px[tile])
        part = picture[y : y + n_y, x : x + n_x]
        flat = (surfaces_px[tile] - pattern_px)[: part.shape[0], : part.shape[1]]
        part[:] = np.where(np.isfinite(flat), flat, part)
    return picture


def _rms(values: NDArray[np.float64]) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if values.size else None
