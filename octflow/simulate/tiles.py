"""Whole tiles in memory: spectra as stored, or complex depth profiles."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from octflow.core.experiment import Illumination
from octflow.core.instrument import N_DEPTH, N_SPECTRAL
from octflow.simulate.cameras import complex_noise, exposed, reference_counts
from octflow.simulate.fields import Floats
from octflow.simulate.geometry import (
    canvas_size,
    focus_pattern,
    row_index,
    tile_positions,
    view_affine,
)
from octflow.simulate.phantom import Phantom, build_phantom
from octflow.simulate.profiles import N_SCATTER, Column, jones_profiles
from octflow.simulate.settings import Simulation
from octflow.simulate.speckle import speckle_field
from octflow.simulate.spectrometer import (
    Spectrometer,
    build_spectrometer,
    fringes,
    ideal_profiles,
)
from octflow.simulate.vessels import vessel_mask
from octflow.simulate.views import Appearance, appearance_at

_STRIP_PX = 32
"""B-lines made at a time, which bounds the memory for tiles of any size."""


@dataclass(frozen=True)
class Scene:
    """What all tiles of a mosaic share."""

    simulation: Simulation
    mosaic: int
    row: Illumination
    positions: dict[int, tuple[float, float]]
    affine: Floats
    focus_px: NDArray[np.float32]
    spectrometer: Spectrometer
    reference: NDArray[np.float32]

    @property
    def slice_id(self) -> int:
        """Slice of the mosaic."""
        return self.simulation.experiment.slice_of(self.mosaic)

    def appearance(self, x: Floats, y: Floats) -> Appearance:
        """Return what the view sees at positions in px of the mosaic."""
        return appearance_at(
            phantom_of(self.simulation), self.affine, self.row.tilt_deg, x, y, self.slice_id
        )


@lru_cache(maxsize=4)
def phantom_of(simulation: Simulation) -> Phantom:
    """Return the sample of a simulation."""
    return build_phantom(
        simulation.seed,
        size_px=canvas_size(simulation, 1),
        margin_px=simulation.agar_margin_px,
        surface_px=(simulation.surface_depth_px, simulation.surface_relief_px),
        n_slices=simulation.n_slices,
        slice_thickness_um=simulation.slice_thickness_um,
        voxel_um=simulation.instrument.voxel_x_um,
    )


@lru_cache(maxsize=8)
def scene_of(simulation: Simulation, mosaic: int) -> Scene:
    """Return what all tiles of a mosaic share."""
    row, index = simulation.experiment.illumination_of(mosaic), row_index(simulation, mosaic)
    spectrometer = build_spectrometer(simulation.instrument, simulation.dispersion_rad)
    return Scene(
        simulation=simulation,
        mosaic=mosaic,
        row=row,
        positions=tile_positions(simulation, mosaic),
        affine=view_affine(simulation, mosaic),
        focus_px=focus_pattern(row, index, simulation.focus_scale),
        spectrometer=spectrometer,
        reference=reference_counts(spectrometer.position, simulation.noise, simulation.seed),
    )


def tile_spectra(
    simulation: Simulation, mosaic: int, tile: int, *, threads: int = 1
) -> NDArray[np.uint16]:
    """Scan one tile.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    mosaic, tile : int
        Ids, from 1.
    threads : int
        Strips made side by side; the result does not depend on it.

    Returns
    -------
    spectra : (Y, 2, X, K) uint16 array
        Camera counts as stored: channel 2 is reversed along K.
    """
    scene = scene_of(simulation, mosaic)
    n_y, n_x = scene.row.tile_size_y_px, scene.row.tile_size_x_px
    spectra = np.empty((n_y, 2, n_x, N_SPECTRAL), np.uint16)

    def scan(first: int, last: int) -> None:
        profiles, start = tile_profiles(scene, tile, first, last)
        for y, line in enumerate(fringes(profiles, start, scene.spectrometer), start=first):
            key = (simulation.seed, mosaic, tile, y)
            spectra[y] = exposed(line, scene.reference, simulation.noise, key)

    _strip_by_strip(scan, n_y, threads)
    return spectra


def tile_jones(
    simulation: Simulation, mosaic: int, tile: int, *, threads: int = 1
) -> NDArray[np.complex64]:
    """Return one tile as acquisition software reconstructs it: without error, but with noise.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    mosaic, tile : int
        Ids, from 1.
    threads : int
        Strips made side by side; the result does not depend on it.

    Returns
    -------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, shallow first.
    """
    scene = scene_of(simulation, mosaic)
    n_y, n_x = scene.row.tile_size_y_px, scene.row.tile_size_x_px
    jones = np.empty((2, N_DEPTH, n_y, n_x), np.complex64)

    def scan(first: int, last: int) -> None:
        profiles, start = tile_profiles(scene, tile, first, last)
        for y, line in enumerate(ideal_profiles(profiles, start), start=first):
            key = (simulation.seed, mosaic, tile, y)
            noisy = line + complex_noise(n_x, simulation.noise, key)
            jones[:, :, y] = noisy.transpose(0, 2, 1)

    _strip_by_strip(scan, n_y, threads)
    return jones


def tile_profiles(
    scene: Scene, tile: int, first: int, last: int
) -> tuple[NDArray[np.complex64], Floats]:
    """Return the noiseless depth profiles of some B-lines.

    Parameters
    ----------
    scene : Scene
        The mosaic.
    tile : int
        Tile, from 1.
    first, last : int
        B-lines, `last` not included.

    Returns
    -------
    profiles : (Y, 2, X, Z) complex64 array
        J1 and J2 from the surface down.
    start_px : (Y, X) array
        Depth index of the surface in the data: sample surface plus surface pattern of the tile.
    """
    simulation, n_x = scene.simulation, scene.row.tile_size_x_px
    at_x, at_y = scene.positions[tile]
    y, x = np.meshgrid(at_y + np.arange(first, last), at_x + np.arange(n_x), indexing="ij")
    seen = scene.appearance(x, y)
    start = seen.surface_px + scene.focus_px[first:last]
    speckle = speckle_field(
        (simulation.seed, scene.slice_id, row_index(simulation, scene.mosaic)),
        position_px=(at_y + first, at_x),
        size_px=x.shape,
        n_depth=N_SCATTER,
    )
    profiles = jones_profiles(
        speckle,
        _vessels(scene, seen),
        Column(
            start_px=start,
            surface_db=seen.sample.surface_db,
            attenuation_per_mm=seen.sample.attenuation_per_mm,
            birefringence=seen.birefringence,
            axis_deg=seen.axis_deg,
        ),
        wavelength_um=simulation.instrument.wavelength_um,
        voxel_z_um=simulation.instrument.voxel_z_um,
        axis_offset_deg=simulation.axis_offset_deg,
    )
    return profiles, start


def _vessels(scene: Scene, seen: Appearance) -> NDArray[np.uint8]:
    """Say which samples below the surface lie inside a vessel, and not in agar."""
    simulation, instrument = scene.simulation, scene.simulation.instrument
    top_um = (scene.slice_id - 1) * simulation.slice_thickness_um
    mask = vessel_mask(
        phantom_of(simulation).vessels,
        seen.x_sample_px * instrument.voxel_x_um,
        seen.y_sample_px * instrument.voxel_y_um,
        top_um + np.arange(N_SCATTER) * instrument.voxel_z_um,
    )
    mask *= seen.sample.tissue[..., None]
    return mask


def _strip_by_strip(scan: Callable[[int, int], None], n_y: int, threads: int) -> None:
    firsts = range(0, n_y, _STRIP_PX)
    lasts = [min(first + _STRIP_PX, n_y) for first in firsts]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        list(pool.map(scan, firsts, lasts))
