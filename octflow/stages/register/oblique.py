"""Where a voxel of one view lies in the volume of another: straight beams, tilted about y.

A beam tilted by g runs along (sin g, 0, cos g). It meets the plane that depth is counted from at x,
and a path d further on it is d cos g deep and has moved on by d sin g along x. Depth in a volume is
path along its own beam. Refraction at the surface is left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError

Floats = NDArray[np.floating]

_REACH_PX = 5
"""Samples above and below a surface that are compared."""


@dataclass(frozen=True, kw_only=True)
class Beams:
    """How the beams of two views run; depths in samples of the fixed volume."""

    fixed_tilt_deg: float
    """Tilt of the beam of the fixed view."""
    moving_tilt_deg: float
    """Tilt of the other one."""
    samples_per_px: float
    """Depth step in steps between A-lines: how far a beam at 45 degrees moves on per sample."""
    shear: bool = True
    """Beams move on along x with depth; otherwise what lies above each other stays so."""
    affine_depth_px: float = 0.0
    """Depth index at which the affine of the maps holds."""
    depth_shift_px: float = 0.0
    """Depth index in the moving volume of what lies at index 0 of the fixed one."""

    @property
    def depth_ratio(self) -> float:
        """Depth samples of the moving volume per sample of the fixed one."""
        fixed, moving = np.deg2rad([self.fixed_tilt_deg, self.moving_tilt_deg])
        return float(np.cos(fixed) / np.cos(moving))

    @property
    def shear_px(self) -> float:
        """Fixed pixels by which the moving beam must set out further along x, per sample."""
        if not self.shear:
            return 0.0
        fixed, moving = np.deg2rad([self.fixed_tilt_deg, self.moving_tilt_deg])
        apart = np.tan(fixed) - np.tan(moving)
        return float(np.cos(fixed) ** 2 * apart * self.samples_per_px)


def voxel_affine(affine: Floats, beams: Beams) -> NDArray[np.float64]:
    """Return the map from voxels of the fixed volume to those of the moving one.

    Parameters
    ----------
    affine : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y), found on maps.
    beams : Beams
        Tilts, depths.

    Returns
    -------
    matrix : (3, 4) array
        Fixed voxel (x, y, z, 1) to moving voxel (x, y, z).

    Examples
    --------
    A beam along (-sin 45, 0, cos 45): at depth 8 it has come 8 samples, 2 px, from the right.

    >>> beams = Beams(fixed_tilt_deg=0, moving_tilt_deg=-45, samples_per_px=0.25)
    >>> seen = voxel_affine(np.eye(2, 3), beams) @ (10, 3, 8, 1)
    >>> seen.round(3).tolist()
    [12.0, 3.0, 11.314]
    """
    plane = np.array(affine, dtype=float)
    matrix = np.zeros((3, 4))
    matrix[:2, :2], matrix[:2, 3] = plane[:, :2], plane[:, 2]
    matrix[:2, 2] = beams.shear_px * plane[:, 0]
    matrix[:2, 3] -= beams.affine_depth_px * matrix[:2, 2]
    matrix[2, 2], matrix[2, 3] = beams.depth_ratio, beams.depth_shift_px
    return matrix


@dataclass(frozen=True)
class Depths:
    """How the surface of the tissue lies in two volumes, in samples."""

    surface_px: float
    """Median depth index of the surface in the fixed volume."""
    shift_px: float
    """Depth index in the moving volume of what lies at index 0 of the fixed one."""
    residual_px: float
    """Median distance of the two surfaces once this is known."""


def fitted_depths(fixed_px: Floats, moving_px: Floats, depth_ratio: float) -> Depths:
    """Find how deep one volume lies in the other from the surface that both show.

    Parameters
    ----------
    fixed_px, moving_px : (N,) array
        Depth index of the surface in either volume, at the same places; NaN where not known.
    depth_ratio : float
        Samples of the moving volume per sample of the fixed one.

    Raises
    ------
    EstimateError
        There is no place where both are known.

    Examples
    --------
    >>> fitted_depths(np.array([10.0, 20, 30]), np.array([25.0, 45, 90]), 2.0)
    Depths(surface_px=20.0, shift_px=5.0, residual_px=0.0)
    """
    both = np.isfinite(fixed_px) & np.isfinite(moving_px)
    if not both.any():
        raise EstimateError(
            "surfaces of volumes: found no place that both show, expected at least one"
        )
    apart = moving_px[both] - depth_ratio * fixed_px[both]
    shift_px = float(np.median(apart))
    residual_px = float(np.median(np.abs(apart - shift_px)))
    return Depths(float(np.median(fixed_px[both])), shift_px, residual_px)


def coarser(matrix: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Return the map between voxels of levels that are `factor` times as coarse.

    Examples
    --------
    >>> coarser(np.eye(3, 4) + [0, 0, 0, 8], 4)[:, 3].tolist()
    [2.0, 2.0, 2.0]
    """
    # The first voxel of a level covers `factor` fine voxels: its centre lies in their middle.
    middle = (factor - 1) / 2
    scaled = matrix.copy()
    scaled[:, 3] = (matrix[:, :3] @ np.full(3, middle) + matrix[:, 3] - middle) / factor
    return scaled


def steepest_rise_px(intensity_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the depth of every A-line at which intensity rises most: that of the surface.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Columns of whole depth, NaN where there is no value.

    Returns
    -------
    depth_px : (Y, X) float32 array
        First sample of the five that exceed the five before by most; NaN where an A-line has no
        such ten samples.
    """
    sums = np.cumsum(np.pad(intensity_db, [(1, 0), (0, 0), (0, 0)]), axis=0, dtype=np.float64)
    if len(intensity_db) < 2 * _REACH_PX:
        return np.full(intensity_db.shape[1:], np.nan, np.float32)
    means = sums[_REACH_PX:] - sums[:-_REACH_PX]
    rise = means[_REACH_PX:] - means[:-_REACH_PX]
    known = np.isfinite(rise).any(axis=0)
    depth = np.argmax(np.where(np.isfinite(rise), rise, -np.inf), axis=0) + _REACH_PX
    return np.where(known, depth, np.nan).astype(np.float32)
