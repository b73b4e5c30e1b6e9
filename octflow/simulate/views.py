"""What one illumination sees of the sample: apparent birefringence, axis and surface."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octflow.core.axial import wrap_axis
from octflow.simulate.fields import Floats
from octflow.simulate.geometry import to_sample
from octflow.simulate.phantom import Phantom, Tissue, tissue_at


def project_fibre(
    dn: ArrayLike, azimuth_deg: ArrayLike, inclination_deg: ArrayLike, tilt_deg: float
) -> tuple[Floats, Floats]:
    """Return how a fibre appears along a beam tilted about the y axis.

    Apparent birefringence is dn sin^2 of the angle between fibre and beam, so sqrt(dn) times the
    unit vector of the fibre projects orthogonally on the view.

    Parameters
    ----------
    dn : array_like
        Birefringence of the fibre.
    azimuth_deg : array_like
        Angle from +x towards +y.
    inclination_deg : array_like
        Positive where the fibre direction with positive x points deeper.
    tilt_deg : float
        Tilt of the beam.

    Returns
    -------
    birefringence : array
        Apparent birefringence, in the unit of `dn`.
    axis_deg : array
        Apparent azimuth, in (-90, 90].

    Examples
    --------
    >>> b, axis = project_fibre(2.0, 60.0, 20.0, -15.0)
    >>> round(float(b), 6), round(float(axis), 6)
    (1.912838, 56.318403)
    """
    azimuth, inclination = np.deg2rad(wrap_axis(azimuth_deg)), np.deg2rad(inclination_deg)
    tilt, length = np.deg2rad(tilt_deg), np.sqrt(dn)
    w_x = length * np.cos(inclination) * np.cos(azimuth)
    w_y = length * np.cos(inclination) * np.sin(azimuth)
    w_z = length * np.sin(inclination)
    p_x = np.cos(tilt) * w_x - np.sin(tilt) * w_z
    return p_x**2 + w_y**2, wrap_axis(np.rad2deg(np.arctan2(w_y, p_x)))


@dataclass(frozen=True)
class Appearance:
    """What a view sees at given positions; all arrays have one shape."""

    sample: Tissue
    """The properties behind it, axis angles in the frame of the sample."""
    surface_px: Floats
    """Depth index of the surface along this beam, without the surface pattern of the tile."""
    birefringence: Floats
    """Apparent birefringence."""
    axis_deg: Floats
    """Axis as the instrument counts it: minus the apparent azimuth, in (-90, 90]."""
    x_sample_px: Floats
    y_sample_px: Floats


def appearance_at(
    phantom: Phantom, affine: NDArray, tilt_deg: float, x: Floats, y: Floats, slice_id: int
) -> Appearance:
    """Return what a view sees.

    Parameters
    ----------
    phantom : Phantom
        The sample.
    affine : (2, 3) array
        Sample to mosaic.
    tilt_deg : float
        Tilt of the beam.
    x, y : (Y, X) arrays
        Positions in px of the mosaic.
    slice_id : int
        Slice, from 1.

    Returns
    -------
    appearance : Appearance
        Maps of shape (Y, X).
    """
    x_sample, y_sample = to_sample(affine, x, y)
    tissue = tissue_at(phantom, x_sample, y_sample, slice_id)
    birefringence, azimuth = project_fibre(
        tissue.dn, tissue.azimuth_deg, tissue.inclination_deg, tilt_deg
    )
    rotation_deg = np.rad2deg(np.arctan2(-affine[0, 1], affine[1, 1]))
    return Appearance(
        sample=tissue,
        surface_px=tissue.surface_px / np.cos(np.deg2rad(tilt_deg)),
        birefringence=birefringence,
        axis_deg=wrap_axis(-(azimuth + rotation_deg)),
        x_sample_px=x_sample,
        y_sample_px=y_sample,
    )
