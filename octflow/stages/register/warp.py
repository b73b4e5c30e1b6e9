"""Bring maps of a tilted view onto the pixels of the straight one, validity with them."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from octflow.core.axial import doubled, undoubled

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]

_MIN_SUPPORT = 0.5
"""Share of the interpolation weight that must come from valid pixels."""


def warp_scalar(
    image: Floats, valid: Mask, matrix: NDArray, shape: tuple[int, int]
) -> tuple[Floats, Mask]:
    """Sample a map where an affine says, by linear interpolation among valid pixels.

    Parameters
    ----------
    image : (Y, X) array
        Map of the moving view.
    valid : (Y, X) array of bool
        Where it holds a value; what lies elsewhere is never used.
    matrix : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y).
    shape : (2,) ints
        Size (Y, X) of the fixed map.

    Returns
    -------
    warped : shape array
        Map on the fixed pixels, 0 where not valid.
    warped_valid : shape array of bool
        Where at least half of the interpolation weight comes from valid pixels.

    Examples
    --------
    >>> image = np.arange(4, dtype=np.float32)[None].repeat(2, axis=0)
    >>> shifted = np.array([[1, 0, 0.25], [0, 1, 0]])
    >>> warp_scalar(image, np.isfinite(image), shifted, (2, 3))[0][0].tolist()
    [0.25, 1.25, 2.25]
    """
    (planes, support) = _sampled([np.where(valid, image, 0)], valid, matrix, shape)
    return planes[0], support


def warp_axis(
    axis_deg: Floats,
    birefringence: Floats,
    valid: Mask,
    matrix: NDArray,
    shape: tuple[int, int],
    *,
    rotation_deg: float,
) -> tuple[Floats, Mask]:
    """Sample a map of axis angles, and turn them from the moving into the fixed frame.

    Angles travel as doubled-angle vectors weighted by birefringence. They turn by the rotation of
    the affine only: its foreshortening is how the tilted view projects positions, and the azimuth
    seen in that view is already the one of the projected fibre.

    Parameters
    ----------
    axis_deg, birefringence : (Y, X) array
        Maps of the moving view.
    valid, matrix, shape
        As for `warp_scalar`.
    rotation_deg : float
        Rotation, +x towards +y, that takes fixed directions to moving ones; subtracted.

    Returns
    -------
    warped_deg : shape array
        In (-90, 90], 0 where not valid.
    warped_valid : shape array of bool
        As for `warp_scalar`.
    """
    length = np.where(valid, np.maximum(birefringence, 0), 0)
    cos_2a, sin_2a = doubled(np.where(valid, axis_deg, 0) - np.float32(rotation_deg))
    (c, s), support = _sampled([length * cos_2a, length * sin_2a], valid, matrix, shape)
    return undoubled(c, s), support


def smooth_dyad(
    birefringence: Floats, axis_deg: Floats, valid: Mask, *, sigma_px: float
) -> tuple[Floats, Floats]:
    """Average birefringence and axis with a Gaussian over the valid pixels around each.

    The axis is averaged as the dyad B (cos 2 phi, sin 2 phi), so that the azimuth of a pixel
    without birefringence, which is noise, does not count.

    Parameters
    ----------
    birefringence : (Y, X) array
        May be negative by noise, which averages out; the average is cut off at 0.
    axis_deg : (Y, X) array
        Azimuths.
    valid : (Y, X) array of bool
        Pixels that count; the others get no value.
    sigma_px : float
        Width of the Gaussian; 0 leaves the maps as they are.

    Returns
    -------
    smoothed_birefringence, smoothed_axis_deg : (Y, X) array
        0 where not valid.
    """
    plain = np.where(valid, birefringence, 0)
    cos_2a, sin_2a = doubled(np.where(valid, axis_deg, 0))
    length = np.maximum(plain, 0)
    if sigma_px > 0:
        share = np.maximum(_blurred(valid, sigma_px), np.finfo(np.float32).tiny)
        plain = np.where(valid, _blurred(plain, sigma_px) / share, 0)
        cos_2a, sin_2a = _blurred(length * cos_2a, sigma_px), _blurred(length * sin_2a, sigma_px)
    return np.maximum(plain, 0), np.where(valid, undoubled(cos_2a, sin_2a), 0)


def _blurred(image: NDArray, sigma_px: float) -> Floats:
    return gaussian_filter(image.astype(np.float32), sigma_px, mode="constant", truncate=3)


def _sampled(
    planes: list[Floats], valid: Mask, matrix: NDArray, shape: tuple[int, int]
) -> tuple[list[Floats], Mask]:
    """Interpolate planes that are 0 where not valid; divide by the weight of the valid pixels."""
    flipped = matrix[::-1, [1, 0]]
    offset = matrix[::-1, 2]

    def sample(image: NDArray) -> Floats:
        return affine_transform(
            image.astype(np.float32), flipped, offset, output_shape=shape, order=1, mode="constant"
        )

    weight = sample(valid)
    support = weight >= _MIN_SUPPORT
    share = np.where(support, weight, 1)
    return [np.where(support, sample(plane) / share, 0) for plane in planes], support
