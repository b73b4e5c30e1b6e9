"""Where tiles lie, how a view maps the sample, and the fixed surface pattern of a tile.

The tilted view is taken as a foreshortened one: sample position x is seen at cos(tilt) * x,
whatever its depth. The shear of the oblique beam with depth is neglected.
"""

import numpy as np
from numpy.typing import NDArray

from octflow.core.experiment import Illumination
from octflow.simulate.fields import stream
from octflow.simulate.settings import Simulation

Floats = NDArray[np.floating]
_JITTER, _DRIFT = 101, 102


def row_index(simulation: Simulation, mosaic: int) -> int:
    """Return the position of a mosaic's illumination in the table, from 0."""
    return (mosaic - 1) % len(simulation.experiment.illuminations)


def tile_positions(simulation: Simulation, mosaic: int) -> dict[int, tuple[float, float]]:
    """Return where the tiles of a mosaic lie.

    The stage repeats itself: jitter belongs to illumination and tile, and is the same in all
    slices but for an optional drift.

    Parameters
    ----------
    simulation : Simulation
        Grid, skew, jitter, drift.
    mosaic : int
        Mosaic, from 1.

    Returns
    -------
    positions : dict
        Tile to (x, y) in px of the mosaic frame, in which the smallest coordinates of the first
        slice are 0.
    """
    index = row_index(simulation, mosaic)
    first = _stage_positions(simulation, index + 1)
    low_x = min(x for x, _ in first.values())
    low_y = min(y for _, y in first.values())
    slice_id = simulation.experiment.slice_of(mosaic)
    positions = {}
    for tile, (x, y) in _stage_positions(simulation, mosaic).items():
        drift = (0.0, 0.0)
        if slice_id > 1 and simulation.stage_drift_px > 0:
            rng = stream(simulation.seed, _DRIFT, mosaic, tile)
            drift = tuple(rng.normal(scale=simulation.stage_drift_px, size=2))
        positions[tile] = (float(x - low_x + drift[0]), float(y - low_y + drift[1]))
    return positions


def nominal_positions(simulation: Simulation, mosaic: int) -> dict[int, tuple[float, float]]:
    """Return what the stage was told: grid position times nominal step, (x, y) in px."""
    step_x, step_y = simulation.experiment.illumination_of(mosaic).nominal_step_px()
    grid = simulation.experiment.grid_of(mosaic)
    return {tile: (g_x * step_x, g_y * step_y) for tile, (g_x, g_y) in grid.items()}


def _stage_positions(simulation: Simulation, mosaic: int) -> dict[int, tuple[float, float]]:
    """Return nominal positions, turned by the skew and jittered."""
    index, skew = row_index(simulation, mosaic), np.deg2rad(simulation.skew_deg)
    table = simulation.experiment
    # The jitter is that of a place, whatever number its tile has in a slice with another grid.
    grid = table.grid_of(mosaic)
    first = {place: tile for tile, place in table.grid_of(index + 1).items()}
    positions = {}
    for tile, (x, y) in nominal_positions(simulation, mosaic).items():
        rng = stream(simulation.seed, _JITTER, index, first.get(grid[tile], tile))
        j_x, j_y = rng.uniform(-simulation.jitter_px, simulation.jitter_px, 2)
        positions[tile] = (
            x * np.cos(skew) - y * np.sin(skew) + j_x,
            x * np.sin(skew) + y * np.cos(skew) + j_y,
        )
    return positions


def canvas_size(simulation: Simulation, mosaic: int) -> tuple[int, int]:
    """Return the size (n_y, n_x) in px of the smallest canvas that holds all tiles."""
    row = simulation.experiment.illumination_of(mosaic)
    positions = tile_positions(simulation, mosaic).values()
    n_x = np.ceil(max(x for x, _ in positions) + row.tile_size_x_px)
    n_y = np.ceil(max(y for _, y in positions) + row.tile_size_y_px)
    return int(n_y), int(n_x)


def view_affine(simulation: Simulation, mosaic: int) -> Floats:
    """Return the map from the sample to the frame of a mosaic.

    The sample frame is the mosaic frame of the first illumination. Other views are foreshortened
    in x by cos(tilt), rotated, centred in their own field, then shifted.

    Parameters
    ----------
    simulation : Simulation
        Tilts, rotation, shift.
    mosaic : int
        Mosaic, from 1.

    Returns
    -------
    affine : (2, 3) array
        Maps (x, y, 1) in px of the sample to (x, y) in px of the mosaic.
    """
    index = row_index(simulation, mosaic)
    if index == 0:
        return np.eye(2, 3)
    tilt = np.deg2rad(simulation.experiment.illumination_of(mosaic).tilt_deg)
    turn = np.deg2rad(simulation.view_rotation_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.diag([np.cos(tilt), 1.0])
    here, sample = _centre(simulation, index + 1), _centre(simulation, 1)
    shift = here + np.asarray(simulation.view_shift_px) - linear @ sample
    return np.column_stack([linear, shift])


def _centre(simulation: Simulation, mosaic: int) -> Floats:
    n_y, n_x = canvas_size(simulation, mosaic)
    return np.array([(n_x - 1) / 2, (n_y - 1) / 2])


def to_sample(affine: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Map positions in a mosaic back to the sample.

    Parameters
    ----------
    affine : (2, 3) array
        Sample to mosaic.
    x, y : arrays
        Positions in the mosaic in px.

    Returns
    -------
    x, y : arrays
        Positions in the sample in px.

    Examples
    --------
    >>> x, y = to_sample(np.array([[0.5, 0, 3], [0, 1, -2]]), np.array(8.0), np.array(1.0))
    >>> float(x), float(y)
    (10.0, 3.0)
    """
    inverse = np.linalg.inv(affine[:, :2])
    d_x, d_y = x - affine[0, 2], y - affine[1, 2]
    return inverse[0, 0] * d_x + inverse[0, 1] * d_y, inverse[1, 0] * d_x + inverse[1, 1] * d_y


def focus_pattern(row: Illumination, index: int, scale: float) -> NDArray[np.float32]:
    """Return the depth by which the optics displace the surface within a tile.

    A polynomial of degree 2 in the position within the tile, scaled to -1..1: field curvature,
    path length, and for a tilted beam a slope along x.

    Parameters
    ----------
    row : Illumination
        Tile size and tilt.
    index : int
        Position in the illumination table, from 0; other rows have other patterns.
    scale : float
        Scales the whole pattern.

    Returns
    -------
    pattern : (Y, X) float32 array
        Displacement in depth samples, at least 0, smallest value 0.
    """
    x = np.linspace(-1, 1, row.tile_size_x_px)[None, :]
    y = np.linspace(-1, 1, row.tile_size_y_px)[:, None]
    slope = 1.5 - 0.3 * row.tilt_deg
    curved = (6 - index) * x**2 + (5 + 0.5 * index) * y**2 + 1.2 * x * y
    pattern: Floats = scale * (curved + slope * x - 1.5 * y)
    return np.subtract(pattern, pattern.min(), dtype=np.float32)
