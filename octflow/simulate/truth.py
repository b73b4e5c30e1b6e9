"""What is true of a simulated experiment, written beside its raw tiles."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import SettingsError
from octflow.core.instrument import N_SPECTRAL
from octflow.core.names import mosaic_name
from octflow.io.atomic import replacing
from octflow.io.nifti import write_nifti
from octflow.simulate.geometry import canvas_size
from octflow.simulate.settings import Simulation
from octflow.simulate.spectrometer import dispersion_phase
from octflow.simulate.tiles import phantom_of, scene_of


def truth_maps(simulation: Simulation, mosaic: int) -> dict[str, NDArray[np.float32]]:
    """Sample the truth on the pixels of a mosaic.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    mosaic : int
        Mosaic, from 1.

    Returns
    -------
    maps : dict of (Y, X) float32 arrays
        `surface`: depth index along this beam, without the surface pattern of the tiles;
        `birefringence`: as it appears in this view; `retardance_slope`: the same in deg per depth
        sample; `axis`: as the instrument counts it, deg; `azimuth`, `inclination` (deg) and `dn`:
        of the fibre itself, in the frame of the sample; `tissue`: 1 in tissue, 0 in agar.
    """
    n_y, n_x = canvas_size(simulation, mosaic)
    y, x = np.meshgrid(np.arange(float(n_y)), np.arange(float(n_x)), indexing="ij")
    seen = scene_of(simulation, mosaic).appearance(x, y)
    instrument = simulation.instrument
    slope = 360 * seen.birefringence * instrument.voxel_z_um / instrument.wavelength_um
    maps = {
        "surface": seen.surface_px,
        "retardance_slope": slope,
        "birefringence": seen.birefringence,
        "axis": seen.axis_deg,
        "azimuth": seen.sample.azimuth_deg,
        "inclination": seen.sample.inclination_deg,
        "dn": seen.sample.dn,
        "tissue": seen.sample.tissue,
    }
    return {name: values.astype(np.float32) for name, values in maps.items()}


def write_truth(simulation: Simulation, folder: Path) -> None:
    """Write settings, dispersion, geometry, maps and vessels of an experiment.

    Parameters
    ----------
    simulation : Simulation
        The experiment.
    folder : Path
        Gets `dispersion.dat` and the folder `truth`.

    Raises
    ------
    SettingsError
        The folder holds another simulation.
    """
    _claim(simulation, folder / "truth" / "simulation.json")
    with replacing(folder / "dispersion.dat") as part:
        grid = np.arange(N_SPECTRAL, dtype=np.float64)
        dispersion_phase(grid, simulation.dispersion_rad).astype("<f8").tofile(part)
    _write_json(folder / "truth" / "vessels.json", phantom_of(simulation).vessels.plain())
    for mosaic in simulation.experiment.mosaics_of(1):
        _write_illumination(simulation, mosaic, folder / "truth")
    for slice_id in range(1, simulation.n_slices + 1):
        for mosaic in simulation.experiment.mosaics_of(slice_id):
            for name, values in truth_maps(simulation, mosaic).items():
                path = folder / "truth" / mosaic_name(mosaic, name, ".nii")
                write_nifti(path, values, voxel_size_mm=simulation.instrument.voxel_size_mm)


def _claim(simulation: Simulation, path: Path) -> None:
    """Refuse to mix two experiments in one folder."""
    if path.exists() and json.loads(path.read_text()) != simulation.plain():
        raise SettingsError(f"{path}: found another simulation, expected the same settings")
    _write_json(path, simulation.plain())


def _write_illumination(simulation: Simulation, mosaic: int, truth: Path) -> None:
    scene = scene_of(simulation, mosaic)
    positions = {str(tile): position for tile, position in scene.positions.items()}
    _write_json(truth / f"positions-{scene.row.name}.json", positions)
    _write_json(truth / f"geometry-{scene.row.name}.json", scene.affine.tolist())
    focus = truth / f"focus-{scene.row.name}.nii"
    write_nifti(focus, scene.focus_px, voxel_size_mm=simulation.instrument.voxel_size_mm)


def _write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n")
