"""Maps of birefringence of one slice under two illuminations, an affine between them.

The slice is a smooth function of position, so both maps are samples of it: none is an interpolation
of the other one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter, spline_filter

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

STEP_PX = 4
"""Distance of the nodes of the spline that the slice is."""
_BUNDLE_PX, _COURSE_PX = 12.0, 40.0
"""Lengths over which bundles and their direction change."""
_GREY_DN, _BUNDLE_DN = 2e-4, 2e-3
"""Birefringence between and within bundles."""


@dataclass(frozen=True)
class TwoMaps:
    """What two views show of one slice, and the truth between them."""

    fixed: Floats
    """(Y, X) apparent birefringence; NaN outside the tissue."""
    moving: Floats
    """(Y, X) the same in the tilted view."""
    matrix: Matrix
    """(2, 3): fixed pixel (x, y, 1) to moving pixel (x, y)."""

    def error_px(self, found: Matrix) -> float:
        """Return the root mean square distance from the truth over the tissue."""
        y, x = np.nonzero(np.isfinite(self.fixed))
        gap = (found - self.matrix) @ np.stack([x, y, np.ones(x.size)])
        return float(np.sqrt(np.mean(np.sum(gap**2, axis=0))))


def affine_of(
    tilt_deg: float,
    *,
    rotation_deg: float = 0.0,
    shear: float = 0.0,
    scale: float = 1.0,
    shift_px: tuple[float, float] = (0.0, 0.0),
    centre_px: tuple[float, float] = (0.0, 0.0),
) -> Matrix:
    """Return the affine (2, 3) that foreshortens x, shears, scales and turns about a centre.

    Parameters
    ----------
    tilt_deg : float
        Angle between the views, about y.
    rotation_deg : float
        +x towards +y.
    shear, scale : float
        Shear of x with y; growth.
    shift_px, centre_px : (2,) floats
        Where the centre (x, y) of the fixed map goes: shift + foreshortened centre.

    Examples
    --------
    >>> affine_of(60, shift_px=(3, 0), centre_px=(10, 0)).round(3).tolist()
    [[0.5, 0.0, 3.0], [0.0, 1.0, 0.0]]
    """
    cos_t, sin_t = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    squeeze = np.diag([np.cos(np.deg2rad(tilt_deg)), 1.0])
    turn = np.array([[cos_t, -sin_t], [sin_t, cos_t]])
    linear = scale * turn @ np.array([[1, shear], [0, 1]]) @ squeeze
    centre = np.array(centre_px)
    return np.column_stack([linear, squeeze @ centre + np.array(shift_px) - linear @ centre])


def two_maps(
    shape: tuple[int, int], matrix: Matrix, *, tilt_deg: float, snr_db: float, seed: int
) -> TwoMaps:
    """Simulate the birefringence of a slice with bundles under a straight and a tilted view.

    The views see the same fibres under different angles, so their contrast differs from bundle to
    bundle, as in tissue. The tilted map begins at its own pixel (0, 0): what an affine puts before
    that is cut off, what it puts behind the end of the fixed map is kept.

    Parameters
    ----------
    shape : (2,) ints
        Size (Y, X) of the fixed map.
    matrix : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y).
    tilt_deg : float
        Tilt of the second view about y.
    snr_db : float
        Mean square of the map over the tissue relative to that of the noise.
    seed : int
        Of slice and noise.

    Returns
    -------
    maps : TwoMaps
        With the truth.

    Examples
    --------
    >>> maps = two_maps((200, 300), affine_of(15), tilt_deg=15, snr_db=20, seed=1)
    >>> maps.error_px(affine_of(15, shift_px=(3, 4)))
    5.0
    """
    rng = np.random.default_rng(seed)
    nodes = tuple(n // STEP_PX + 8 for n in shape)
    normal, tilted = _seen(nodes, tilt_deg, rng)
    inside = outline(nodes, rng)
    fixed_to_node = np.eye(2, 3) / STEP_PX + np.array([[0, 0, 4], [0, 0, 4]])
    whole = np.vstack([matrix, [0, 0, 1]])
    moving_to_node = (np.vstack([fixed_to_node, [0, 0, 1]]) @ np.linalg.inv(whole))[:2]
    corners = matrix @ np.array([[0, shape[1], 0, shape[1]], [0, 0, *[shape[0]] * 2], [1] * 4])
    larger = tuple(int(np.ceil(c)) for c in corners.max(axis=1)[::-1])
    return TwoMaps(
        _view(normal, inside, fixed_to_node, shape, snr_db, rng),
        _view(tilted, inside, moving_to_node, larger, snr_db, rng),
        matrix,
    )


def smooth_noise(nodes: tuple[int, ...], length_px: float, rng: np.random.Generator) -> Floats:
    """Draw noise of unit variance that changes over a length, at the nodes."""
    noise = rng.standard_normal(nodes, np.float32)
    smooth = gaussian_filter(noise, length_px / STEP_PX, mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


def _seen(
    nodes: tuple[int, ...], tilt_deg: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return dn sin^2 of the angle to the beam under both views, at the nodes."""
    # Where smooth noise changes its sign lie bands that bend, branch and end, as bundles do.
    bundles = np.exp(-((smooth_noise(nodes, _BUNDLE_PX, rng) / 0.4) ** 2))
    delta_n = _GREY_DN + (_BUNDLE_DN - _GREY_DN) * bundles
    axis = np.stack([smooth_noise(nodes, _COURSE_PX, rng) for _ in range(3)])
    axis /= np.linalg.norm(axis, axis=0)
    g = np.deg2rad(tilt_deg)
    along = np.sin(g) * axis[0] + np.cos(g) * axis[2]
    return delta_n * (1 - axis[2] ** 2), delta_n * (1 - along**2)


def outline(nodes: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return what is positive within an uneven ellipse, at the nodes."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in nodes)
    uneven = 0.08 * smooth_noise(nodes, max(nodes) * STEP_PX / 20, rng)
    return np.asarray(0.8 - np.hypot(y[:, None], x[None]) + uneven, np.float32)


def _view(
    seen: Floats,
    inside: Floats,
    to_node: Matrix,
    shape: tuple[int, ...],
    snr_db: float,
    rng: np.random.Generator,
) -> Floats:
    """Sample spline and outline at the pixels of a view, and add noise."""
    flipped, offset = to_node[::-1, [1, 0]], to_node[::-1, 2]

    def sampled(spline: Floats, order: int) -> Floats:
        return affine_transform(
            spline, flipped, offset, shape, order=order, prefilter=False, mode="nearest"
        )

    values = sampled(spline_filter(seen, output=np.float32), 3)
    tissue = sampled(inside, 1) > 0
    sigma = np.sqrt(np.mean(values[tissue] ** 2)) * 10 ** (-snr_db / 20)
    values += sigma * rng.standard_normal(values.shape, np.float32)
    return np.where(tissue, values, np.float32(np.nan))
