"""Sheets as figures of matplotlib, which only jobs that draw one load."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from octflow.io.arrows import draw_arrows
from octflow.io.picture import CYCLIC, Panel, axis_key, panel_step, window_of


def drawn_sheet(panels: Sequence[Panel], *, title: str, across: int) -> Figure:
    """Draw labelled panels with colour bars on one page; see `write_sheet`."""
    across = min(across, len(panels))
    down = -(-len(panels) // across)
    size_in = (4.2 * across, 3.8 * down + 0.5)
    figure = Figure(figsize=size_in)
    FigureCanvasAgg(figure)
    figure.suptitle(title, y=1 - 0.25 / size_in[1], va="center")
    axes = figure.subplots(down, across, squeeze=False, gridspec_kw=_places(size_in)).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(figure, axis, panel)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    return figure


def _places(size_in: tuple[float, float]) -> dict[str, float]:
    """Return where the panels of a sheet lie; fitting them to their labels takes far longer."""
    x_in, y_in = size_in
    return {
        "left": 0.5 / x_in,
        "right": 1 - 0.45 / x_in,
        "bottom": 0.35 / y_in,
        "top": 1 - 0.85 / y_in,
        "wspace": 0.25,
        "hspace": 0.25,
    }


def _draw(figure: Figure, axis: Axes, panel: Panel) -> None:
    every = panel_step(panel.array)
    shown = panel.array[::every, ::every]
    low, high = panel.window or window_of("", shown)
    n_y, n_x = (panel.every * size - 0.5 for size in panel.array.shape[:2])
    colours, extent = _colour_map(panel.colours), (-0.5, n_x, n_y, -0.5)
    drawn = axis.imshow(shown, vmin=low, vmax=high, cmap=colours, extent=extent)
    axis.set_title(panel.title, fontsize=10, y=1.0)
    axis.tick_params(labelsize=7)
    if panel.turning:
        key = axis.inset_axes((0.01, 0.01, 0.18, 0.18))
        key.imshow(axis_key(panel.turning))
        key.axis("off")
    if panel.arrows is not None:
        draw_arrows(axis, panel.arrows, max(extent))
    if panel.array.ndim == 2:
        bar = figure.colorbar(drawn, ax=axis, shrink=0.8)
        bar.ax.tick_params(labelsize=7)
        bar.set_label(panel.unit, fontsize=8)


def _colour_map(name: str) -> Colormap:
    if name == CYCLIC:
        import colorcet  # noqa: F401 - it tells matplotlib its maps
    return mpl.colormaps[name]
