"""Pictures of every result: plain previews, and sheets of labelled panels for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from octflow.core.axial import wrap_axis
from octflow.core.names import AXIAL
from octflow.io.arrows import Arrows
from octflow.io.atomic import replacing
from octflow.io.colours import table_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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

LONGEST_JPEG_PX = 65500
"""What the libraries that write and read JPEG take along an axis."""

_MAX_PANEL_PX = 1500
_JPEG_QUALITY = 92
CYCLIC = "cet_CET_C6"
"""Colours of axis angles, of which the first and the last are the same."""
_BAND_PX = 64
"""Lines coloured at a time: what is in between stays in the caches."""


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet: a map (Y, X) or RGB (Y, X, 3), with title, unit and window."""

    title: str
    array: NDArray
    unit: str = ""
    window: tuple[float, float] | None = None
    colours: str = "gray"
    turning: int = 0
    """Axes are drawn as a key: they count counter-clockwise from x (1), or clockwise (-1)."""
    every: int = 1
    """The array holds every second, third, ... pixel of the map."""
    arrows: Arrows | None = None
    """Shifts that are drawn on it."""


def panel_of(
    modality: str, array: NDArray, title: str = "", *, window: tuple[float, float] | None = None
) -> Panel:
    """Show a modality as it is always shown: its window, unit and colours.

    A large map is thinned at once, so that it need not be kept until the sheet is drawn.
    """
    every = panel_step(array)
    return Panel(
        title or modality,
        array[::every, ::every].copy(),
        UNITS.get(modality, ""),
        window or window_of(modality, array),
        colours_of(modality),
        1 if modality == "ori" else 0,
        every,
    )


def panel_step(array: NDArray) -> int:
    """Return of how many pixels of a map a panel shows one, along each axis."""
    return _every(array, _MAX_PANEL_PX)


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
        return CYCLIC
    return "viridis" if modality in {"ret", "R3D", "biref", "surf", "mus"} else "gray"


def coloured(array: NDArray, window: tuple[float, float], colours: str) -> NDArray[np.uint8]:
    """Colour a map (Y, X) as RGB (Y, X, 3); where there is no value, black."""
    table = _table(colours)
    rgb = np.empty((*array.shape, 3), np.uint8)
    for start in range(0, len(array), _BAND_PX):
        band = slice(start, start + _BAND_PX)
        np.take(table, _levels(array[band], window), axis=0, out=rgb[band], mode="clip")
    return rgb


def write_preview(
    path: Path,
    modality: str,
    array: NDArray,
    *,
    pixel_size_um: tuple[float, float] | None = None,
    window: tuple[float, float] | None = None,
    longest_px: int = LONGEST_JPEG_PX,
) -> None:
    """Write a map (Y, X) as a picture in the colours of its modality.

    Parameters
    ----------
    path : Path
        JPEG or PNG.
    modality : str
        Decides window and colours.
    array : (Y, X) array
        The map; where it has no value the picture is black.
    pixel_size_um : (2,) floats, optional
        Size (x, y), written as the resolution.
    window : (2,) floats, optional
        Shown as the first and the last colour, in place of the window of the modality.
    longest_px : int
        A larger map is shown by every second of its pixels, every third, ...
    """
    every = _every(array, longest_px)
    shown, colours = array[::every, ::every], colours_of(modality)
    rgb = coloured(shown, window or window_of(modality, array), colours)
    dpi = None if pixel_size_um is None else tuple(25400 / (every * s) for s in pixel_size_um)
    write_picture(path, rgb[..., 0] if colours == "gray" else rgb, dpi=dpi)


def write_picture(
    path: Path, rgb: NDArray[np.uint8], *, dpi: tuple[float, ...] | None = None, comment: str = ""
) -> None:
    """Write RGB (Y, X, 3), or grey (Y, X), as JPEG (with a comment) or PNG by the suffix."""
    options: dict[str, Any] = {} if dpi is None else {"dpi": dpi}
    options |= {"comment": comment} if comment else {}
    with replacing(path) as part:
        Image.fromarray(rgb).save(part, quality=_JPEG_QUALITY, **options)


def _levels(array: NDArray, window: tuple[float, float]) -> NDArray[np.uint16]:
    """Return the place of every value in a table of 256 colours, 256 where there is none."""
    low, high = window
    scaled = (np.asarray(array, np.float32) - np.float32(low)) * np.float32(256 / (high - low))
    there = np.isfinite(scaled)
    return np.where(there, np.clip(scaled, 0, 255), np.float32(256)).astype(np.uint16)


def _table(colours: str) -> NDArray[np.uint8]:
    """Return 256 colours, and black."""
    return np.vstack([table_of(colours), np.zeros((1, 3), np.uint8)])


def _every(array: NDArray, longest_px: int) -> int:
    return max(1, -(-max(array.shape[:2]) // longest_px))


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
    from octflow.io.sheet import drawn_sheet  # Matplotlib, which takes long to load.

    write_figure(path, drawn_sheet(panels, title=title, across=across))


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a matplotlib figure by the suffix of the path."""
    with replacing(path) as part:
        figure.savefig(part, dpi=110, format=path.suffix.lstrip("."))


def axis_key(turning: int, *, n_px: int = 101) -> NDArray[np.uint8]:
    """Draw a disc whose every line through the centre has the colour of the axis along it.

    Parameters
    ----------
    turning : {1, -1}
        Axis angles count counter-clockwise from x, as those of the instrument, or clockwise.
    n_px : int
        Size of the picture.

    Returns
    -------
    disc : (Y, X, 4) uint8 array
        RGB and opacity, y growing downwards.
    """
    x = np.linspace(-1, 1, n_px, dtype=np.float32)
    y = turning * -x[:, None]
    disc = coloured(wrap_axis(np.rad2deg(np.arctan2(y, x))), WINDOWS["ori"], CYCLIC)
    opacity = np.where(x**2 + y**2 <= 1, 255, 0).astype(np.uint8)
    return np.dstack([disc, opacity])
