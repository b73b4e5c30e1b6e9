"""What two illuminations measure of the fibres of one slice, an affine between them, and the truth.

Tissue is grey matter crossed by bundles of two courses. Every tissue has a smooth field of
directions of its own, so that both axis and birefringence jump where one ends: the rims are sharp.
All is a function of position, sampled at the pixels of either view: no map is interpolated from
another one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, spline_filter

from octflow.core.axial import wrap_axis
from octflow.core.record import Product
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.simulate.slice_maps import STEP_PX, Matrix, outline, smooth_noise

Floats = NDArray[np.float32]

_COURSE_PX = 120.0
"""Length over which directions change."""
_BAND = 0.5
"""Half the span of smooth noise that is a bundle, in its standard deviations: with this one,
bundles are about as wide as the noise is smooth."""
VOXEL_MM = (0.01, 0.01, 0.0025)
"""Of the files."""
_DN = (5e-4, 1e-3, 1.5e-3)
"""Birefringence of grey matter and of bundles of either course."""


@dataclass(frozen=True)
class Measured:
    """What one view measures."""

    birefringence: Floats
    """(Y, X) apparent birefringence; 0 outside the tissue."""
    axis_deg: Floats
    """(Y, X) apparent azimuth in the frame of this view, from +x towards +y."""
    tissue: NDArray[np.bool_]
    """(Y, X) where there is tissue."""


@dataclass(frozen=True)
class FibreMaps:
    """Both views of a slice, and what they should tell."""

    fixed: Measured
    """Without tilt."""
    moving: Measured
    """Tilted."""
    axis: Floats
    """(3, Y, X) true unit vectors (x, y, z) on the pixels of the fixed view."""
    birefringence: Floats
    """(Y, X) true birefringence there."""
    noise_root_dn: float
    """Standard deviation of each component of p = sqrt(B) (cos phi, sin phi)."""

    def errors_deg(self, found: Floats) -> Floats:
        """Return the angles (Y, X) between found and true axes (3, Y, X); NaN where none is."""
        cosine = np.abs(np.sum(found * self.axis, axis=0))
        missing = ~np.any(found, axis=0)
        return np.where(missing, np.float32(np.nan), np.rad2deg(np.arccos(np.minimum(cosine, 1))))

    def inclinations_deg(self, found: Floats) -> tuple[Floats, Floats]:
        """Return found and true inclinations (Y, X), both towards the true azimuth.

        An axis has two directions. That of the true one with positive x counts, and that of the
        found one which lies nearer to it in the plane: so axes to both sides of y, which are near
        each other, do not differ in sign.
        """
        forwards = np.where(self.axis[0] < 0, -1, 1)
        nearer = np.where(np.sum(found[:2] * self.axis[:2], axis=0) < 0, -1, 1)
        sines = nearer * forwards * found[2], forwards * self.axis[2]
        one, other = (np.rad2deg(np.arcsin(np.clip(sine, -1, 1))) for sine in sines)
        return one, other


def write_measured(folder: Path, name: str, measured: Measured) -> list[Product]:
    """Write the maps of a view as stage stitch leaves them; the instrument counts axes backwards.

    Parameters
    ----------
    folder : Path
        Where to.
    name : str
        Begins the names of the files.
    measured : Measured
        The maps.
    """
    maps = {
        "biref": np.where(measured.tissue, measured.birefringence, np.nan),
        "ori": np.where(measured.tissue, wrap_axis(-measured.axis_deg), np.nan),
        "mask": measured.tissue,
    }
    products = []
    for role, image in maps.items():
        path = folder / f"{name}_{role}.nii"
        kept = image.astype(np.uint8 if role == "mask" else np.float32)
        write_nifti(path, kept, voxel_size_mm=VOXEL_MM)
        products.append(product(path, role))
    return products


def fibre_maps(
    shape: tuple[int, int],
    matrix: Matrix,
    *,
    tilt_deg: float,
    snr_db: float,
    seed: int,
    bundle_px: float = 30.0,
) -> FibreMaps:
    """Simulate a slice with bundles of fibres under a straight and a tilted view.

    Azimuths turn by the rotation of the affine, in its polar form, the foreshortening taken off.
    The tilted maps begin at their own pixel (0, 0), as those of `two_maps` do.

    Parameters
    ----------
    shape : (2,) ints
        Size (Y, X) of the fixed maps.
    matrix : (2, 3) array
        Fixed pixel (x, y, 1) to moving pixel (x, y).
    tilt_deg : float
        Tilt of the second view about y.
    snr_db : float
        Mean birefringence of the tissue relative to the variance of a component of p.
    seed : int
        Of slice and noise.
    bundle_px : float
        Typical width of a bundle.

    Examples
    --------
    >>> maps = fibre_maps((90, 120), np.eye(2, 3), tilt_deg=-15, snr_db=20, seed=1)
    >>> maps.axis.shape, maps.moving.axis_deg.shape
    ((3, 90, 120), (90, 120))
    """
    rng = np.random.default_rng(seed)
    slice_ = _Slice(shape, bundle_px, rng)
    whole = np.vstack([matrix, [0, 0, 1]])
    corners = matrix @ np.array([[0, shape[1], 0, shape[1]], [0, 0, *[shape[0]] * 2], [1] * 4])
    n_x, n_y = (int(np.ceil(c)) for c in corners.max(axis=1))
    axis, dn, inside = slice_.at(np.eye(3), shape)
    noise = float(np.sqrt(dn[inside].mean())) * 10 ** (-snr_db / 20)
    fixed = _measured(axis, dn, inside, 0.0, noise, rng)
    there = slice_.at(np.linalg.inv(whole), (n_y, n_x))
    moving = _measured(*there, tilt_deg, noise, rng, turn_deg=_rotation_deg(matrix, tilt_deg))
    return FibreMaps(fixed, moving, axis, dn, noise)


class _Slice:
    """A slice as a function of position."""

    def __init__(self, shape: tuple[int, int], bundle_px: float, rng: np.random.Generator) -> None:
        nodes = tuple(n // STEP_PX + 8 for n in shape)
        courses = [smooth_noise(nodes, _COURSE_PX, rng) for _ in range(3 * len(_DN))]
        bundles = [smooth_noise(nodes, bundle_px, rng) for _ in _DN[1:]]
        self._outline = outline(nodes, rng)
        self._splines = [spline_filter(one, output=np.float32) for one in (*courses, *bundles)]

    def at(
        self, to_fixed: Matrix, shape: tuple[int, int]
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return axis, birefringence and tissue at pixels that a matrix takes to fixed ones."""
        to_node = (np.array([[1, 0, 4 * STEP_PX], [0, 1, 4 * STEP_PX]]) / STEP_PX) @ to_fixed
        flipped, offset = to_node[::-1, [1, 0]], to_node[::-1, 2]

        def sampled(spline: Floats, order: int = 3) -> Floats:
            return affine_transform(
                spline, flipped, offset, shape, order=order, prefilter=False, mode="nearest"
            )

        kind = np.zeros(shape, np.int64)
        for i, spline in enumerate(self._splines[3 * len(_DN) :], start=1):
            kind[np.abs(sampled(spline)) < _BAND] = i
        axis = np.empty((3, *shape), np.float32)
        for i in range(len(_DN)):
            for j in range(3):
                np.copyto(axis[j], sampled(self._splines[3 * i + j]), where=kind == i)
        axis /= np.linalg.norm(axis, axis=0)
        return axis, np.array(_DN, np.float32)[kind], sampled(self._outline, 1) > 0


def _rotation_deg(matrix: Matrix, tilt_deg: float) -> float:
    """Return the rotation of the polar form of what an affine does besides foreshortening."""
    linear = matrix[:, :2] / np.array([np.cos(np.deg2rad(tilt_deg)), 1])
    u, _, v = np.linalg.svd(linear)
    turn = u @ v
    return float(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0])))


def _measured(
    axis: Floats,
    dn: Floats,
    inside: NDArray[np.bool_],
    tilt_deg: float,
    noise: float,
    rng: np.random.Generator,
    *,
    turn_deg: float = 0.0,
) -> Measured:
    """Project w = sqrt(birefringence) * axis on a view, turn it, and add noise."""
    g = np.deg2rad(tilt_deg)
    p = np.sqrt(dn) * np.stack([np.cos(g) * axis[0] - np.sin(g) * axis[2], axis[1]])
    p += noise * rng.standard_normal(p.shape, np.float32)
    azimuth = np.rad2deg(np.arctan2(p[1], p[0])) + turn_deg
    seen = np.where(inside, np.sum(p**2, axis=0), 0)
    return Measured(seen.astype(np.float32), wrap_axis(azimuth).astype(np.float32), inside)
