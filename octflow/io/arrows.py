"""Small shifts drawn on a picture, enlarged until they are seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR = "#ff7f0e"
_TYPICAL = 90
"""Percentile of the lengths that is drawn as long as there is room for."""
_LONGEST = 2.0
"""Longer arrows are cut to this multiple of it: one outlier must not hide the others."""


@dataclass(frozen=True)
class Arrows:
    """Shifts and where they are drawn."""

    at_px: NDArray[np.float64]
    """Middle (x, y) of every arrow, in pixels of the picture."""
    by_px: NDArray[np.float64]
    """Shift (x, y)."""


def enlarged(arrows: Arrows, size_px: float) -> tuple[NDArray[np.float64], float, float]:
    """Enlarge shifts to arrows that fill a picture without hiding each other.

    Parameters
    ----------
    arrows : Arrows
        N shifts.
    size_px : float
        Longer side of the picture.

    Returns
    -------
    drawn_px : (N, 2) array
        Arrows (x, y) in pixels of the picture.
    key_px : float
        A round shift, in px, for the key.
    factor : float
        How much shifts are enlarged.

    Examples
    --------
    >>> shifts = Arrows(np.zeros((4, 2)), np.array([[0.02, 0.0]] * 3 + [[9.0, 0.0]]))
    >>> drawn, key, factor = enlarged(Arrows(shifts.at_px[:3], shifts.by_px[:3]), 100)
    >>> drawn[0].tolist(), key, round(factor)
    ([15.0, 0.0], 0.02, 750)
    """
    lengths = np.hypot(*arrows.by_px.T)
    typical = max(float(np.percentile(lengths, _TYPICAL)), 1e-6)
    room = size_px * min(0.15, 1 / np.sqrt(len(lengths)))
    factor = room / typical
    cut = np.minimum(1, _LONGEST * typical / np.maximum(lengths, 1e-12))
    return arrows.by_px * factor * cut[:, None], float(f"{typical:.0e}"), factor


def draw_arrows(axis: "Axes", arrows: Arrows, size_px: float) -> None:
    """Draw shifts on a picture, y growing downwards, with a key that tells their length."""
    if len(arrows.at_px) == 0:
        return
    drawn, key_px, factor = enlarged(arrows, size_px)
    x, y = (arrows.at_px - drawn / 2).T
    quiver = axis.quiver(
        x, y, *drawn.T, color=_COLOUR, angles="xy", scale_units="xy", scale=1, width=0.005
    )
    axis.quiverkey(quiver, 0.86, -0.12, key_px * factor, f"{key_px:g} px", labelpos="W")
