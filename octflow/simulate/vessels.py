"""Vessels: a graph of straight tubes through all slices, and the voxels inside them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Vessels:
    """Tubes with round ends between nodes."""

    nodes_um: Floats
    """(N, 3) positions (x, y, z); z grows through the slices, 0 is the surface of the first."""
    edges: NDArray[np.intp]
    """(E, 2) nodes of each tube."""
    radius_um: Floats
    """(E,) radii."""

    def plain(self) -> dict[str, Any]:
        """Return the graph as builtin values."""
        return {
            "nodes_um": self.nodes_um.tolist(),
            "edges": self.edges.tolist(),
            "radius_um": self.radius_um.tolist(),
        }


def grow_vessels(
    rng: np.random.Generator, box_um: tuple[float, float, float], pitch_um: float
) -> Vessels:
    """Draw two trunks that cross all slices, each with forked branches.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    box_um : (x, y, z) floats
        Size of the sample.
    pitch_um : float
        Depth between the nodes of a trunk; every second one has a branch.

    Returns
    -------
    vessels : Vessels
        The graph.
    """
    x_um, y_um, z_um = box_um
    radius = float(np.clip(0.014 * min(x_um, y_um), 12, 60))
    nodes: list[Floats] = []
    edges: list[tuple[int, int]] = []
    radii: list[float] = []

    def join(parent: int, position: Floats, radius_um: float) -> int:
        nodes.append(position)
        if parent >= 0:
            edges.append((parent, len(nodes) - 1))
            radii.append(radius_um)
        return len(nodes) - 1

    for start in ((0.38, 0.6), (0.64, 0.42)):
        at = np.array([start[0] * x_um, start[1] * y_um, -0.1 * pitch_um])
        trunk = join(-1, at, radius)
        for step in range(int(np.ceil(1.5 * z_um / pitch_um)) + 1):
            move = np.array([*rng.uniform(-0.06, 0.06, 2) * (x_um, y_um), pitch_um / 1.5])
            at = at + move
            trunk = join(trunk, at, 1.4 * radius)
            if step % 2 == 0:
                turn, fork = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.7)
                middle = join(trunk, at + _reach(turn, 0.14, box_um, 0.15 * pitch_um), radius)
                for side in (-fork, fork):
                    tip = nodes[middle] + _reach(turn + side, 0.14, box_um, 0.2 * pitch_um)
                    join(middle, tip, 0.75 * radius)
    return Vessels(np.array(nodes), np.array(edges, np.intp), np.array(radii))


def _reach(turn: float, share: float, box_um: tuple[float, float, float], z_um: float) -> Floats:
    return np.array([share * box_um[0] * np.cos(turn), share * box_um[1] * np.sin(turn), z_um])


def vessel_mask(vessels: Vessels, x_um: Floats, y_um: Floats, z_um: Floats) -> NDArray[np.uint8]:
    """Say which voxels lie inside a vessel.

    Parameters
    ----------
    vessels : Vessels
        The graph.
    x_um, y_um : (Y, X) arrays
        Positions of the A-lines.
    z_um : (Z,) array
        Depths, ascending, the same for all A-lines.

    Returns
    -------
    mask : (Y, X, Z) uint8 array
        1 inside.

    Examples
    --------
    >>> tube = Vessels(np.array([[0.0, 0, 0], [10, 0, 0]]), np.array([[0, 1]]), np.array([2.0]))
    >>> vessel_mask(tube, np.array([[5.0]]), np.array([[1.0]]), np.array([0.0, 1.5, 2.5])).tolist()
    [[[1, 1, 0]]]
    """
    mask = np.zeros((*x_um.shape, len(z_um)), np.uint8)
    first, second = vessels.nodes_um[vessels.edges[:, 0]], vessels.nodes_um[vessels.edges[:, 1]]
    for a, b, radius in zip(first, second, vessels.radius_um, strict=True):
        low, high = np.minimum(a, b) - radius, np.maximum(a, b) + radius
        begin, end = np.searchsorted(z_um, [low[2], high[2]])
        near = (x_um >= low[0]) & (x_um <= high[0]) & (y_um >= low[1]) & (y_um <= high[1])
        if end > begin and near.any():
            lateral = np.stack([x_um[near], y_um[near]], axis=1)
            mask[near, begin:end] |= _inside_tube(lateral, z_um[begin:end], a, b, radius)
    return mask


@njit(cache=True, nogil=True)
def _inside_tube(
    lateral_um: Floats, z_um: Floats, a: Floats, b: Floats, radius_um: float
) -> NDArray[np.uint8]:
    """Compare the distance to a line segment with a radius, (A-line, depth)."""
    inside = np.zeros((lateral_um.shape[0], z_um.shape[0]), np.uint8)
    axis = b - a
    for i in range(lateral_um.shape[0]):
        for k in range(z_um.shape[0]):
            d = np.array([lateral_um[i, 0] - a[0], lateral_um[i, 1] - a[1], z_um[k] - a[2]])
            along = min(max(np.dot(d, axis) / np.dot(axis, axis), 0.0), 1.0)
            d -= along * axis
            inside[i, k] = np.dot(d, d) <= radius_um * radius_um
    return inside


def trunk_positions(vessels: Vessels, z_um: float) -> Floats:
    """Return where the trunks cross a depth: from where each begins, its widest tube is followed.

    Parameters
    ----------
    vessels : Vessels
        The graph.
    z_um : float
        Depth.

    Returns
    -------
    positions_um : (T, 2) array
        (x, y) of the axis of every trunk; NaN where it has ended.

    Examples
    --------
    >>> nodes = np.array([[0.0, 0, 0], [10, 0, 20], [30, 0, 20]])
    >>> graph = Vessels(nodes, np.array([[0, 1], [0, 2]]), np.array([2.0, 1]))
    >>> trunk_positions(graph, 5.0).tolist()
    [[2.5, 0.0]]
    """
    roots = np.setdiff1d(vessels.edges[:, 0], vessels.edges[:, 1])
    return np.array([_crossing(vessels, int(root), z_um) for root in roots])


def _crossing(vessels: Vessels, node: int, z_um: float) -> Floats:
    """Follow a trunk from one of its nodes down to a depth."""
    while (tubes := np.flatnonzero(vessels.edges[:, 0] == node)).size:
        tube = tubes[np.argmax(vessels.radius_um[tubes])]
        a, b = vessels.nodes_um[vessels.edges[tube]]
        if a[2] <= z_um <= b[2]:
            return np.asarray((a + (b - a) * (z_um - a[2]) / (b[2] - a[2]))[:2])
        node = int(vessels.edges[tube, 1])
    return np.full(2, np.nan)
