"""Angles that describe a 3-D fibre axis, and the colours they are shown in."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def azimuth_and_inclination(axis: Floats) -> tuple[Floats, Floats]:
    """Return azimuth and inclination of axes.

    Parameters
    ----------
    axis : (3, ...) array
        Unit vectors (x, y, z), z deeper, of either sign.

    Returns
    -------
    azimuth_rad : (...) array
        From +x towards +y, in (-pi/2, pi/2].
    inclination_rad : (...) array
        Positive where the direction with positive x points deeper, in [-pi/2, pi/2].

    Examples
    --------
    >>> azimuth, inclination = azimuth_and_inclination(np.array([[0.0], [-0.8], [0.6]]))
    >>> np.rad2deg([azimuth, inclination]).round(2).ravel().tolist()
    [90.0, -36.87]
    """
    flip = (axis[0] < 0) | ((axis[0] == 0) & (axis[1] < 0))
    x, y, z = np.where(flip, -axis, axis)
    return np.arctan2(y, np.abs(x)), np.arcsin(np.clip(z, -1, 1))


def polar_angle(inclination_rad: Floats) -> Floats:
    """Return the angle between beam and axis, wrapped by pi into (-pi/2, pi/2].

    It carries the sign of the inclination: 90 degrees minus it, wrapped as an axis is.

    Examples
    --------
    >>> np.rad2deg(polar_angle(np.deg2rad([20.0, 0.0, -20.0]))).round(6).tolist()
    [70.0, 90.0, -70.0]
    """
    polar = np.pi / 2 - inclination_rad
    return np.where(polar > np.pi / 2, polar - np.pi, polar).astype(inclination_rad.dtype)


def polar_angle_from_azimuths(
    normal_axis_deg: Floats, tilted_axis_deg: Floats, tilt_deg: float
) -> Floats:
    """Return the polar angle that two apparent azimuths alone determine.

    cot psi = cos phi_n / tan g - sin phi_n / (sin g tan phi_x). It needs no birefringence, but
    says nothing of fibres along x, where both azimuths are 0 whatever the inclination.

    Parameters
    ----------
    normal_axis_deg, tilted_axis_deg : (...) array
        Apparent azimuths phi_n and phi_x.
    tilt_deg : float
        Tilt g of the second view about y.

    Returns
    -------
    psi_rad : (...) array
        In (-pi/2, pi/2], signed as `polar_angle`; NaN where not determined.

    Examples
    --------
    Azimuth and inclination 20 degrees under a tilt of -15.

    >>> psi = polar_angle_from_azimuths(np.array(20.0), np.array(18.848867), -15)
    >>> round(float(np.rad2deg(psi)), 4)
    70.0
    """
    phi_n, phi_x, tilt = (
        np.deg2rad(normal_axis_deg),
        np.deg2rad(tilted_axis_deg),
        np.deg2rad(tilt_deg),
    )
    # Both sides times sin g sin phi_x: no division by a tangent that may be 0.
    cot = np.cos(phi_n) * np.sin(phi_x) * np.cos(tilt) - np.sin(phi_n) * np.cos(phi_x)
    one = np.sin(phi_x) * np.sin(tilt)
    lost = (np.sin(phi_n) == 0) | (np.sin(phi_x) == 0)
    flip = np.where(cot < 0, -1, 1)
    psi = np.arctan2(flip * one, flip * cot)
    return np.where(lost, np.nan, psi).astype(np.result_type(normal_axis_deg))


def hue_rgb(axis_deg: Floats, value_fraction: Floats) -> NDArray[np.uint8]:
    """Colour angles by hue = (angle + 90) / 180 at full saturation.

    Parameters
    ----------
    axis_deg : (Y, X) array
        Angles of period 180 degrees.
    value_fraction : (Y, X) array
        Brightness from 0 to 1.

    Returns
    -------
    rgb : (Y, X, 3) array of uint8
        Black where an angle is not finite.

    Examples
    --------
    >>> hue_rgb(np.array([[-90.0, -30.0, 30.0]]), np.ones((1, 3)))[0].tolist()
    [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    """
    hue = (np.nan_to_num(axis_deg) + 90) / 180
    sector = (6 * hue[..., None] + np.array([0, 4, 2], hue.dtype)) % 6
    rgb = np.clip(np.abs(sector - 3) - 1, 0, 1) * np.clip(value_fraction, 0, 1)[..., None]
    return _as_bytes(np.where(np.isfinite(axis_deg)[..., None], rgb, 0))


def component_rgb(axis: Floats, value_fraction: Floats) -> NDArray[np.uint8]:
    """Colour axes (3, Y, X) by the sizes of their components: x red, y green, z blue.

    Examples
    --------
    >>> component_rgb(np.array([[[0.0]], [[-1.0]], [[0.0]]]), np.ones((1, 1)))[0, 0].tolist()
    [0, 255, 0]
    """
    rgb = np.moveaxis(np.abs(axis), 0, -1) * np.clip(value_fraction, 0, 1)[..., None]
    return _as_bytes(rgb)


def brightness(birefringence: Floats, window_dn: tuple[float, float]) -> Floats:
    """Scale birefringence to 0..1 over a window."""
    low, high = window_dn
    return np.clip((np.nan_to_num(birefringence) - low) / (high - low), 0, 1)


def _as_bytes(rgb: Floats) -> NDArray[np.uint8]:
    return np.rint(255 * np.clip(np.nan_to_num(rgb), 0, 1)).astype(np.uint8)
