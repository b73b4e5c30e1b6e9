"""Pictures of every result: plain previews, and sheets of labelled panels for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from octflow.core.names import AXIAL
from octflow.io.arrows import Arrows, draw_arrows
from octflow.io.atomic import replacing

WINDOWS: dict[str, tuple[float, float]] = {
    "aip": (50, 80),
    "mip": (60, 95),
    "ret": (0, 60),
    "ori": (-90, 90),
    "biref": (0, 1.2e-3),
    "mus": (0, 10),
    "mask": (0, 1),
    "dBI": (45, 85),
    "R3D": (0, 90),
    "O3D": (-90, 90),
}
"""Display windows, fixed so that pictures of different slices can be compared."""

UNITS = {
    "aip": "dB",
    "mip": "dB",
    "ret": "deg",
    "ori": "deg",
    "biref": "Δn",
    "surf": "px",
    "mus": "1/mm",
    "dBI": "dB",
    "R3D": "deg",
    "O3D": "deg",
}
"""Units as printed beside colour bars."""

_MAX_PANEL_PX = 1500


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet: a map (Y, X) or RGB (Y, X, 3), with title, unit and window."""

    title: str
    array: NDArray
    unit: str = ""
    window: tuple[float, float] | None = None
    colours: str = "gray"
    arrows: Arrows | None = None
    """Shifts that are drawn on it."""


def panel_of(modality: str, array: NDArray, title: str = "") -> Panel:
    """Show a modality as it is always shown: its window, unit and colours."""
    return Panel(
        title or modality,
        array,
        UNITS.get(modality, ""),
        window_of(modality, array),
        colours_of(modality),
    )


def window_of(modality: str, array: NDArray) -> tuple[float, float]:
    """Return the display window of a modality; percentiles 1 and 99 where none is fixed."""
    if modality in WINDOWS:
        return WINDOWS[modality]
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        return (0.0, 1.0)
    low, high = np.percentile(finite, [1, 99])
    return (float(low), float(high) if high > low else float(low) + 1)


def colours_of(modality: str) -> str:
    """Name the colour map of a modality: cyclic for axis angles."""
    if modality in AXIAL:
        return "hsv"
    return "viridis" if modality in {"ret", "R3D", "biref", "surf", "mus"} else "gray"


def coloured(array: NDArray, window: tuple[float, float], colours: str) -> NDArray[np.uint8]:
    """Colour a map (Y, X) as RGB (Y, X, 3); where there is no value, black."""
    low, high = window
    scaled = np.clip((array - low) / (high - low), 0, 1)
    rgb = mpl.colormaps[colours](np.nan_to_num(scaled))[..., :3]
    rgb[~np.isfinite(array)] = 0
    levels: NDArray[np.uint8] = np.rint(255 * rgb).astype(np.uint8)
    return levels


def write_preview(path: Path, modality: str, array: NDArray) -> None:
    """Write a map (Y, X) as a picture of the same size in the colours of its modality."""
    rgb = coloured(array, window_of(modality, array), colours_of(modality))
    write_picture(path, rgb)


def write_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write RGB (Y, X, 3), or grey (Y, X), as JPEG or PNG by the suffix."""
    with replacing(path) as part:
        Image.fromarray(rgb).save(part, quality=92)


def write_sheet(path: Path, panels: Sequence[Panel], *, title: str, across: int = 3) -> None:
    """Write labelled panels with colour bars on one page.

    Parameters
    ----------
    path : Path
        JPEG or PNG.
    panels : sequence of Panel
        In reading order.
    title : str
        Headline of the page.
    across : int
        Panels side by side.
    """
    across = min(across, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(4.2 * across, 3.8 * down + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(figure, axis, panel)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    write_figure(path, figure)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure by the suffix of the path."""
    with replacing(path) as part:
        figure.savefig(part, dpi=110, format=path.suffix.lstrip("."))


def _draw(figure: Figure, axis: mpl.axes.Axes, panel: Panel) -> None:
    every = max(1, -(-max(panel.array.shape[:2]) // _MAX_PANEL_PX))
    shown = panel.array[::every, ::every]
    low, high = panel.window or window_of("", shown)
    extent = (-0.5, panel.array.shape[1] - 0.5, panel.array.shape[0] - 0.5, -0.5)
    drawn = axis.imshow(shown, vmin=low, vmax=high, cmap=panel.colours, extent=extent)
    axis.set_title(panel.title, fontsize=10)
    axis.tick_params(labelsize=7)
    if panel.arrows is not None:
        draw_arrows(axis, panel.arrows, max(extent))
    if panel.array.ndim == 2:
        bar = figure.colorbar(drawn, ax=axis, shrink=0.8)
        bar.ax.tick_params(labelsize=7)
        bar.set_label(panel.unit, fontsize=8)
