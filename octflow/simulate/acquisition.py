"""The acquisition: raw tiles appear in a folder, in the order and at the pace of a microscope."""

import logging
import shutil
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import tile_name
from octflow.io.atomic import replacing
from octflow.io.complex_tiles import write_complex_tile
from octflow.io.nifti import write_nifti
from octflow.io.raw import expected_bytes, pack_12bit
from octflow.simulate.geometry import nominal_positions
from octflow.simulate.settings import Simulation
from octflow.simulate.tiles import tile_jones, tile_spectra
from octflow.simulate.truth import write_truth

log = logging.getLogger(__name__)

_SUFFIX = {"spectral": ".nii", "spectral_12bit": ".raw"}
_GROWTH_STEPS = 20


@dataclass(frozen=True)
class Exposure:
    """One tile of the acquisition."""

    counter: int
    """Running number over the whole experiment, from 1."""
    mosaic: int
    tile: int


def exposures(simulation: Simulation) -> list[Exposure]:
    """List the files of an experiment in the order of acquisition: its tiles, one by one.

    Where illuminations are interleaved, a file is named after the first mosaic of its slice.

    Examples
    --------
    >>> from octflow.simulate.presets import preset
    >>> exposures(preset("tiny"))[4]
    Exposure(counter=5, mosaic=2, tile=1)
    """
    table = simulation.experiment
    pairs = [
        (mosaic, tile)
        for slice_id in range(1, simulation.n_slices + 1)
        for mosaic in table.mosaics_of(slice_id)[: 1 if simulation.interleaved else None]
        for tile in sorted(table.grid_of(mosaic))
    ]
    return [Exposure(counter, *pair) for counter, pair in enumerate(pairs, start=1)]


def raw_name(simulation: Simulation, exposure: Exposure) -> str:
    """Name a raw tile as the microscope does.

    Parameters
    ----------
    simulation : Simulation
        Format and style of names.
    exposure : Exposure
        The tile.

    Returns
    -------
    name : str
        File name.

    Examples
    --------
    >>> from octflow.simulate.presets import preset
    >>> raw_name(preset("tiny"), Exposure(5, 2, 1))
    'mosaic_002_image_0001_spectral_0005.nii'
    """
    mosaic, tile = exposure.mosaic, exposure.tile
    if simulation.raw_kind == "complex":
        cropped = "_cropped" if simulation.name_style == "cropped" else ""
        return tile_name(mosaic, tile, f"processed{cropped}")
    stage = ""
    if simulation.name_style == "stage":
        stage = _stage_part(simulation, mosaic, tile)
    suffix = _SUFFIX[simulation.raw_kind]
    ids = f"mosaic_{mosaic:03d}_image_{tile:04d}"
    return f"{ids}{stage}_spectral_{exposure.counter:04d}{suffix}"


def _stage_part(simulation: Simulation, mosaic: int, tile: int) -> str:
    """Return stage positions in um and the tilt in degrees, as whole numbers."""
    instrument, table = simulation.instrument, simulation.experiment
    x, y = nominal_positions(simulation, mosaic)[tile]
    row = table.illumination_of(mosaic)
    z_um = (table.slice_of(mosaic) - 1) * simulation.slice_thickness_um
    numbers = (x * instrument.voxel_x_um, y * instrument.voxel_y_um, z_um, row.tilt_deg)
    parts = [f"_{axis}_{round(n)}" for axis, n in zip("xyzr", numbers, strict=True)]
    return "".join(parts) + f"_{row.name}"


def write_raw_tile(simulation: Simulation, exposure: Exposure, path: Path) -> None:
    """Scan one tile and write it in the raw format of the simulation.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    exposure : Exposure
        The tile.
    path : Path
        File, written whole or not at all.
    """
    mosaic, tile = exposure.mosaic, exposure.tile
    voxel_size_mm = simulation.instrument.voxel_size_mm
    if simulation.raw_kind == "complex":
        jones = tile_jones(simulation, mosaic, tile)
        write_complex_tile(path, jones, voxel_size_mm=voxel_size_mm)
        return
    spectra = _scanned(simulation, mosaic, tile)
    if simulation.raw_kind == "spectral":
        write_nifti(path, spectra, voxel_size_mm=voxel_size_mm)
    else:
        _write_packed(path, spectra)


def _scanned(simulation: Simulation, mosaic: int, tile: int) -> NDArray[np.uint16]:
    """Return the spectra of a file: of one mosaic, or of all of a slice, A-line by A-line."""
    if not simulation.interleaved:
        return tile_spectra(simulation, mosaic, tile)
    table = simulation.experiment
    mosaics = table.mosaics_of(table.slice_of(mosaic))
    lanes = np.stack([tile_spectra(simulation, m, tile) for m in mosaics], axis=3)
    return lanes.reshape(*lanes.shape[:2], -1, lanes.shape[-1])


def _write_packed(path: Path, spectra: NDArray[np.uint16]) -> None:
    with replacing(path) as part, part.open("wb") as file:
        for line in spectra:
            pack_12bit(line.reshape(-1)).tofile(file)


def scan(
    simulation: Simulation,
    folder: Path,
    *,
    pace_s: float = 0.0,
    grow: bool = False,
    workers: int = 2,
) -> Iterator[Path]:
    """Scan an experiment: write its truth, then its raw tiles one after the other.

    Tiles that are there already, with the right size, are kept, so that an interrupted scan
    goes on where it stopped. Nothing happens until the iterator is used.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    folder : Path
        Gets `raw`, `truth` and `dispersion.dat`.
    pace_s : float
        Seconds from tile to tile; 0 for as fast as possible.
    grow : bool
        Let files grow slowly under their final names, as some acquisition software does, instead
        of renaming them when they are whole.
    workers : int
        Tiles made side by side; the files do not depend on it.

    Yields
    ------
    path : Path
        Each raw tile when it is whole, in the order of acquisition.

    Raises
    ------
    SettingsError
        The folder holds another simulation.
    """
    write_truth(simulation, folder)
    (folder / "raw").mkdir(exist_ok=True)
    listed = exposures(simulation)
    clock = _Clock(len(listed), pace_s)
    for path in _written(simulation, listed, folder, workers=workers, clock=clock, grow=grow):
        clock.tick(path)
        yield path


def _written(
    simulation: Simulation,
    listed: list[Exposure],
    folder: Path,
    *,
    workers: int,
    clock: "_Clock",
    grow: bool,
) -> Iterator[Path]:
    """Prepare tiles ahead in a hidden folder, and show them when they are due."""
    hidden = folder / ".scanning"

    def prepare(exposure: Exposure) -> Path | None:
        name = raw_name(simulation, exposure)
        if _is_whole(simulation, exposure, folder / "raw" / name):
            return None
        write_raw_tile(simulation, exposure, hidden / name)
        return hidden / name

    ahead: deque[Future[Path | None]] = deque()
    upcoming = iter(listed)
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for exposure in listed:
            while len(ahead) < 2 * max(1, workers) and (later := next(upcoming, None)):
                ahead.append(pool.submit(prepare, later))
            path = folder / "raw" / raw_name(simulation, exposure)
            if (ready := ahead.popleft().result()) is not None:
                clock.wait(exposure.counter)
                _show(ready, path, grow_s=0.5 * clock.pace_s if grow else None)
            yield path
    shutil.rmtree(hidden, ignore_errors=True)


def _is_whole(simulation: Simulation, exposure: Exposure, path: Path) -> bool:
    row = simulation.experiment.illumination_of(exposure.mosaic)
    lanes = len(simulation.experiment.illuminations) if simulation.interleaved else 1
    size = expected_bytes(simulation.raw_kind, lanes * row.tile_size_x_px, row.tile_size_y_px)
    return path.exists() and path.stat().st_size == size


def _show(ready: Path, path: Path, *, grow_s: float | None) -> None:
    """Move a tile to its place: at once, or piece by piece under the final name."""
    if grow_s is None:
        ready.touch()  # it was made ahead of its time
        ready.replace(path)
        return
    content = ready.read_bytes()
    step = -(-len(content) // _GROWTH_STEPS)
    with path.open("wb") as file:
        for first in range(0, len(content), step):
            file.write(content[first : first + step])
            file.flush()
            time.sleep(grow_s / _GROWTH_STEPS)
    ready.unlink()


class _Clock:
    """Keeps the pace of the acquisition and says how long it will still take."""

    def __init__(self, total: int, pace_s: float) -> None:
        self.total = total
        self.pace_s = pace_s
        self.finished = 0
        self.started_s = time.monotonic()

    def wait(self, counter: int) -> None:
        """Sleep until a tile is due."""
        due_s = self.started_s + (counter - 1) * self.pace_s
        time.sleep(max(0.0, due_s - time.monotonic()))

    def tick(self, path: Path) -> None:
        """Log one more tile."""
        self.finished += 1
        each_s = (time.monotonic() - self.started_s) / self.finished
        left_s = each_s * (self.total - self.finished)
        log.info("%s, %d of %d, about %.0f s left", path.name, self.finished, self.total, left_s)
