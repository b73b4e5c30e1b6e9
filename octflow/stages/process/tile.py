"""One tile in memory: from Jones vectors to products, quality and verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octflow.core.gates import Bound, judged
from octflow.core.instrument import Instrument
from octflow.core.record import Gate
from octflow.stages.process.contrast import Contrasts, fill_contrasts
from octflow.stages.process.products import (
    Bounds,
    Maps,
    Window,
    enface_maps,
    roll_off,
    rotation_maps,
    slope_maps,
    surface_by,
    window_of,
)
from octflow.stages.process.quality import (
    clear_nonfinite,
    judge_tile,
    mean_noise,
    noise_floor_db,
    refuse,
)
from octflow.stages.process.scattering import scattering
from octflow.stages.process.settings import ProcessSettings, SurfaceRule, TileBounds


@dataclass(frozen=True)
class ProcessedTile:
    """What becomes of a tile."""

    arrays: Maps
    """Volumes (Z, Y, X) and maps (Y, X) by their names."""
    qc: dict[str, float]
    """Quality numbers."""
    gates: list[Gate]
    """Their verdicts, none of them fail."""


class ComplexTile(Protocol):
    """A complex tile that is read block by block."""

    @property
    def path(self) -> Path:
        """Where it, or what it is made of, lies."""

    @property
    def n_x(self) -> int:
        """A-lines per B-line."""

    @property
    def n_y(self) -> int:
        """B-lines."""

    @property
    def n_z(self) -> int:
        """Depth samples."""

    @property
    def finite(self) -> bool:
        """Whether samples can be nothing but finite."""

    @property
    def qc(self) -> dict[str, float]:
        """What was measured while reading; after the last block."""

    def lines(self) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
        """Yield B-lines and their J1 and J2, (2, Z, Y, X), in memory that may be changed."""


def process_tile(
    tile: ComplexTile,
    surface: SurfaceRule | int | NDArray[np.float32],
    measured: Mapping[str, float],
    instrument: Instrument,
    settings: ProcessSettings,
) -> ProcessedTile:
    """Compute everything that is written of a tile.

    Parameters
    ----------
    tile : ComplexTile
        J1 and J2; samples that are not finite become 0.
    surface : str, int or (Y, X) array
        Rule, or the surface itself.
    measured : dict of str to float
        Quality known before, such as saturated_fraction.
    instrument : Instrument
        Gives wavelength and depth step.
    settings : ProcessSettings
        Everything else.

    Returns
    -------
    tile : ProcessedTile
        Products, quality, verdicts.

    Raises
    ------
    DataError
        A number misses the bound from which tiles are refused.
    """
    volumes, nan_fraction = _volumes(tile, settings)
    qc = {"nan_fraction": nan_fraction, **measured, **tile.qc}
    refuse(tile.path, judged(qc, bounds_of(settings.gates)))
    maps = _maps(volumes, surface, instrument, settings, qc)
    gates = judged(qc, bounds_of(settings.gates))
    refuse(tile.path, gates)
    named = dict(zip(("dBI", "R3D", "O3D"), volumes, strict=True))
    return ProcessedTile(named | maps, qc, gates)


def _volumes(tile: ComplexTile, settings: ProcessSettings) -> tuple[Contrasts, float]:
    """Compute the volumes block by block: complex samples are twice as large as all of them."""
    shape = (tile.n_z, tile.n_y, tile.n_x)
    volumes = Contrasts(*(np.empty(shape, np.float32) for _ in range(3)))
    cleared = 0
    for where, jones in tile.lines():
        if not tile.finite:
            cleared += clear_nonfinite(jones)
        fill_contrasts(
            volumes,
            where.start,
            jones,
            phase_offset_deg=settings.phase_offset_deg,
            flip_phase=settings.flip_phase,
        )
    return volumes, cleared / (2 * volumes.intensity_db.size)


def bounds_of(gates: TileBounds) -> dict[str, Bound]:
    """Return the bounds of a tile by the names of what they bound."""
    return {name: getattr(gates, name) for name in type(gates).model_fields}


def window_for(instrument: Instrument, settings: ProcessSettings) -> Window:
    """Return the window of the maps, as set, with the units of the instrument."""
    return Window(
        offset_px=settings.enface_offset_px,
        depth_px=settings.enface_depth_px,
        wavelength_um=instrument.wavelength_um,
        voxel_z_um=instrument.voxel_z_um,
    )


def _maps(
    volumes: Contrasts,
    rule: SurfaceRule | int | NDArray[np.float32],
    instrument: Instrument,
    settings: ProcessSettings,
    qc: dict[str, float],
) -> Maps:
    """Compute the maps of a tile, and add what tells its quality to `qc`."""
    intensity_db = volumes.intensity_db
    window = window_for(instrument, settings)
    surface = surface_by(rule, intensity_db, settings.surface_threshold_db)
    bounds = window_of(surface, window, len(intensity_db))
    # Before the roll-off is given back: that raises the noise of deep samples.
    noise_db, noise = noise_floor_db(intensity_db), mean_noise(intensity_db)
    if settings.roll_off_db > 0:
        intensity_db += _loss_db(volumes, settings)[:, None, None].astype(np.float32)
    maps = enface_maps(volumes, surface, bounds)
    if settings.birefringence == "fold":
        maps |= rotation_maps(volumes, bounds, window, settings.max_delta_n)
    else:
        maps |= slope_maps(volumes.retardance_deg, volumes.axis_deg, bounds, window)
    if settings.scattering:
        maps["mus"] = _scattering(volumes, bounds, noise, window, settings)
    qc |= judge_tile(
        maps, surface, intensity_db, noise_db=noise_db, min_step_db=settings.min_surface_step_db
    )
    return maps


def _loss_db(volumes: Contrasts, settings: ProcessSettings) -> NDArray[np.float64]:
    return roll_off(len(volumes.intensity_db), settings.roll_off_db)


def _scattering(
    volumes: Contrasts, bounds: Bounds, noise: float, window: Window, settings: ProcessSettings
) -> NDArray[np.float32]:
    subtracted = None
    if settings.scattering_noise == "subtract":
        # Noise knows no roll-off; what was given back raised it.
        subtracted = noise * 10 ** (0.1 * _loss_db(volumes, settings))
    return scattering(volumes.intensity_db, *bounds, window.voxel_z_um / 1000, subtracted)
