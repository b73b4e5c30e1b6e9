"""Fibres of every voxel from the volumes of two or more views, block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.core.axial import doubled, undoubled
from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.axis3d import axis_and_birefringence, half_vectors
from octflow.stages.register.local import DepthWindow, local_birefringence
from octflow.stages.register.sampling import Block, Source, Volume, box_of, read_padded, sampled
from octflow.stages.register.views import solve_field

Mask = NDArray[np.bool_]
Quantity = Literal["inclination", "azimuth", "dn"]

_COLUMN_PX = 64
"""A-lines across of the columns that are worked on at a time: memory of a block stays small."""


@dataclass(frozen=True)
class SolidView:
    """The volumes (Z, Y, X) of one illumination, and where they lie."""

    tilt_deg: float
    """Tilt of the beam about y."""
    contrasts: tuple[Source, Source, Source]
    """Intensity in dB, retardance and axis in degrees, as the instrument counts it."""
    matrix: NDArray[np.float64] | None = None
    """Fixed voxel (x, y, z, 1) to voxel (x, y, z) of this view; none for the fixed view."""
    rotation_deg: float = 0.0
    """Rotation, +x towards +y, that takes fixed directions to those of this view."""


@dataclass(frozen=True)
class Solid:
    """All views of a slice, and how fibres are found from them."""

    views: Sequence[SolidView]
    """The fixed one first."""
    weights: Sequence[float]
    """Of the views."""
    window: DepthWindow
    """Around each voxel."""
    min_coherence: float
    """Below it a view tells nothing."""
    noise: float | None = None
    """Standard deviation of what a view measures, in sqrt(birefringence)."""

    def block(self, z: slice, y: slice, x: slice) -> NDArray[np.float32]:
        """Solve for w (3, Z, Y, X) on a block of any size, 0 where it is not known."""
        found = np.zeros((3, *(s.stop - s.start for s in (z, y, x))), np.float32)
        for in_y, in_x in columns(y, x):
            where = (z, in_y, in_x)
            # Much of a volume is empty: beside the tissue.
            if np.isfinite(read_padded(self.views[0].contrasts[0], where)).any():
                lines = slice(in_y.start - y.start, in_y.stop - y.start)
                across = slice(in_x.start - x.start, in_x.stop - x.start)
                found[:, :, lines, across] = self.fibres(where)[0]
        return found

    def fibres(self, where: Block) -> tuple[NDArray[np.floating], float]:
        """Solve for w (3, Z, Y, X) on a block, 0 where it is not known; and tell the noise."""
        seen = [apparent_on(v, where, self.window, self.min_coherence) for v in self.views]
        projections = np.stack([half_vectors(b, phi) for b, phi in seen])
        shape = projections.shape[2:]
        # Lines of all depths side by side: the solver takes maps.
        flat = np.nan_to_num(projections).reshape(len(seen), 2, -1, shape[-1])
        valid = np.isfinite(projections[:, 0]).reshape(len(seen), -1, shape[-1])
        tilts = [view.tilt_deg for view in self.views]
        w, _, noise = solve_field(flat, valid, tilts, weights=self.weights, noise=self.noise)
        return w.reshape(3, *shape), noise


def columns(y: slice, x: slice) -> Iterator[tuple[slice, slice]]:
    """Yield the parts (y, x) of a block that are worked on at a time."""
    for start_y in range(y.start, y.stop, _COLUMN_PX):
        for start_x in range(x.start, x.stop, _COLUMN_PX):
            yield (
                slice(start_y, min(start_y + _COLUMN_PX, y.stop)),
                slice(start_x, min(start_x + _COLUMN_PX, x.stop)),
            )


def apparent_on(
    view: SolidView, where: Block, window: DepthWindow, min_coherence: float
) -> tuple[Volume, Volume]:
    """Return what a view sees of the fibres, on a block of the fixed volume.

    Parameters
    ----------
    view : SolidView
        The view.
    where : (3,) slices
        Block (z, y, x) of the fixed volume.
    window : DepthWindow
        Around each voxel of the view.
    min_coherence : float
        Below it there is no value.

    Returns
    -------
    birefringence, azimuth_deg : (Z, Y, X) float32 array
        Apparent birefringence and azimuth from +x towards +y of the fixed frame; NaN where not
        known.
    """
    box = where if view.matrix is None else box_of(where, view.matrix)
    birefringence, azimuth_deg = _apparent(view, box, window, min_coherence)
    if view.matrix is None:
        return birefringence, azimuth_deg
    # Foreshortening does not turn the azimuth that a tilted view sees; its rotation does.
    cos_2a, sin_2a = doubled(azimuth_deg - np.float32(view.rotation_deg))
    planes = np.stack([birefringence, birefringence * cos_2a, birefringence * sin_2a])
    length, real, imag = sampled(planes, box, where, view.matrix)
    return length, undoubled(real, imag).astype(np.float32)


def _apparent(
    view: SolidView, box: Block, window: DepthWindow, min_coherence: float
) -> tuple[Volume, Volume]:
    """Return what a view sees on its own voxels."""
    grown = tuple(
        slice(s.start - by, s.stop + by) for s, by in zip(box, window.halo_px, strict=True)
    )
    inner = tuple(
        slice(by, by + s.stop - s.start) for s, by in zip(box, window.halo_px, strict=True)
    )
    intensity_db, retardance_deg, ori_deg = (
        read_padded(source, (grown[0], grown[1], grown[2])) for source in view.contrasts
    )
    birefringence, axis_deg, coherence = (
        field[inner] for field in local_birefringence(intensity_db, retardance_deg, ori_deg, window)
    )
    known = (coherence >= min_coherence) & np.isfinite(intensity_db[inner])
    lost = np.float32(np.nan)
    # The instrument counts its axes the other way round than the image does.
    return np.where(known, birefringence, lost), np.where(known, -axis_deg, lost)


def quantity_of(quantity: Quantity, w: NDArray[np.floating]) -> Volume:
    """Return a quantity of fibres.

    Parameters
    ----------
    quantity : {"inclination", "azimuth", "dn"}
        In degrees, degrees, 1.
    w : (3, ...) array
        sqrt(birefringence) * axis, 0 where not known.

    Returns
    -------
    values : (...) float32 array
        NaN where not known.

    Examples
    --------
    >>> w = np.array([[0.03, 0], [0, 0], [-0.03, 0]])
    >>> quantity_of("inclination", w).tolist(), quantity_of("dn", w).round(5).tolist()
    ([-45.0, nan], [0.0017999999690800905, nan])
    """
    axis, birefringence = axis_and_birefringence(w)
    values = birefringence
    if quantity != "dn":
        azimuth, inclination = azimuth_and_inclination(axis)
        values = np.rad2deg(inclination if quantity == "inclination" else azimuth)
    return np.where(birefringence > 0, values, np.nan).astype(np.float32)
