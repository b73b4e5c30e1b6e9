"""Smooth displacements of the plane, given at the nodes of a lattice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Displacement:
    """A displacement between whose nodes is interpolated by cubic convolution (Keys 1981).

    It goes through its nodes and has a continuous slope; beyond them it continues as at the rim.

    Examples
    --------
    >>> steps = Displacement(np.array([[[0.0, 4.0]], [[1.0, 1.0]]]), (10.0, 0.0), 8.0)
    >>> [by.tolist() for by in steps.at(np.array([10.0, 14.0, 30.0]), np.array([0.0, 0.0, 5.0]))]
    [[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]]
    """

    by_px: Floats
    """(2, Y, X): along x and along y at the nodes."""
    first_px: Pair
    """Position (x, y) of the first node."""
    spacing_px: float
    """Distance between nodes."""

    @property
    def largest_px(self) -> Pair:
        """A bound of the displacement along x and along y."""
        x, y = (float(by) * _OVERSHOOT for by in np.abs(self.by_px).max(axis=(1, 2)))
        return x, y

    @property
    def longest_px(self) -> float:
        """Length of the longest displacement of a node."""
        return float(np.hypot(*self.by_px).max())

    @property
    def rms_px(self) -> float:
        """Root mean square length over the nodes."""
        return float(np.sqrt(np.mean(np.sum(self.by_px**2, axis=0))))

    def at(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the displacement along x and along y at points (x, y), all of one shape."""
        lines = np.einsum("...n,cnm->c...m", self._weights(y, 1), self.by_px)
        along_x, along_y = np.einsum("c...m,...m->c...", lines, self._weights(x, 0))
        return along_x, along_y

    def over(self, y: slice, x: slice) -> tuple[Floats, Floats]:
        """Return the displacement along x and along y at the pixels (Y, X) of a block."""
        of_y = self._weights(np.arange(y.start, y.stop), 1)
        of_x = self._weights(np.arange(x.start, x.stop), 0)
        return of_y @ self.by_px[0] @ of_x.T, of_y @ self.by_px[1] @ of_x.T

    def turn_deg(self, y: slice, x: slice) -> NDArray[np.float32]:
        """Return by which angle, from +x towards +y, it turns a block: (Y, X).

        The rotation in the polar decomposition of the local map p + displacement(p).
        """
        by_x, by_y = self.over(_wider(y), _wider(x))
        xx, xy = (by_x[1:-1, 2:] - by_x[1:-1, :-2]) / 2, (by_x[2:, 1:-1] - by_x[:-2, 1:-1]) / 2
        yx, yy = (by_y[1:-1, 2:] - by_y[1:-1, :-2]) / 2, (by_y[2:, 1:-1] - by_y[:-2, 1:-1]) / 2
        angle: NDArray[np.float32] = np.rad2deg(np.arctan2(yx - xy, 2 + xx + yy))
        return angle.astype(np.float32)

    def _weights(self, along: Floats, axis: int) -> Floats:
        """Return the weights of the nodes at positions along x (0) or y (1)."""
        count = self.by_px.shape[2 - axis]
        place = np.clip((along - self.first_px[axis]) / self.spacing_px, 0, count - 1)
        whole = np.floor(place).astype(np.int64)
        weights = np.zeros((*place.shape, count))
        for near in range(-1, 3):
            node = np.clip(whole + near, 0, count - 1)[..., None]
            share = _keys(np.abs(place - whole - near))[..., None]
            np.put_along_axis(
                weights, node, np.take_along_axis(weights, node, axis=-1) + share, axis=-1
            )
        return weights


def bounded(by_px: Floats, max_px: float) -> Floats:
    """Shorten displacements (2, ...) that are longer than a bound; their direction stays.

    Examples
    --------
    >>> bounded(np.array([[3.0, 0.25], [4.0, 0.0]]), 2.5).tolist()
    [[1.5, 0.25], [2.0, 0.0]]
    """
    return by_px * np.minimum(1, max_px / np.maximum(np.hypot(*by_px), 1e-9))


_OVERSHOOT = 1.5625
"""Largest sum of the magnitudes of the weights of cubic convolution, 1.25 along each axis."""


def _wider(where: slice) -> slice:
    return slice(where.start - 1, where.stop + 1)


def _keys(distance: Floats) -> Floats:
    """Return the weight of a node at a distance in node spacings."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
