"""Volumes and maps that another program computes, with the functions of the folder `matlab`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from octflow.core.backend import MatlabSettings
from octflow.core.errors import TileError
from octflow.core.experiment import Illumination
from octflow.core.gates import judged
from octflow.core.instrument import N_DEPTH, Instrument
from octflow.io.batch import TileJob
from octflow.io.matlab_job import MatlabBatch, MatlabTile, read_made, run_batch
from octflow.stages.process.products import Maps
from octflow.stages.process.quality import judge_tile, refuse
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.process.surface import Surface
from octflow.stages.process.tile import ProcessedTile, bounds_of

_VOLUMES = ("dBI", "R3D", "O3D")
_JUDGED = ("dBI", "mip", "surf", "surfraw", "step")
"""What the quality of a tile is measured on."""


def compute_elsewhere(
    jobs: Sequence[TileJob],
    illumination: Illumination,
    instrument: Instrument,
    settings: ProcessSettings,
    matlab: MatlabSettings,
    *,
    work: Path,
    threads: int,
) -> MatlabBatch:
    """Let the backend compute the products of tiles, into files of a folder for the work.

    Parameters
    ----------
    jobs : sequence of TileJob
        Complex tiles.
    illumination : Illumination
        Gives the size of a tile.
    instrument : Instrument
        Gives wavelength and voxel size.
    settings : ProcessSettings
        Backend, and what is computed.
    matlab : MatlabSettings
        How it is run.
    work : Path
        Folder, absolute.
    threads : int
        Programs side by side.
    """
    parameters = {
        "n_x": illumination.tile_size_x_px,
        "n_y": illumination.tile_size_y_px,
        "voxel_mm": instrument.voxel_size_mm,
        "instrument": {
            "wavelength_um": instrument.wavelength_um,
            "voxel_z_um": instrument.voxel_z_um,
        },
        "settings": settings.plain(),
    }
    tiles = [
        MatlabTile(
            job.tile,
            Path(job.source.path).absolute(),
            {name: work / f"tile-{job.tile:04d}-{name}.nii" for name in _wanted(settings)},
        )
        for job in jobs
    ]
    return run_batch(
        "process",
        tiles,
        parameters,
        backend=settings.backend,
        settings=matlab,
        digest=settings.backend_id,
        work=work,
        threads=threads,
    )


def _wanted(settings: ProcessSettings) -> list[str]:
    names = {*settings.modalities, *_JUDGED} - {"mus"}
    return sorted(names | ({"mus"} if settings.scattering else set()))


def judge_made(
    made: MatlabTile,
    batch: MatlabBatch,
    measured: Mapping[str, float],
    size_px: tuple[int, int],
    settings: ProcessSettings,
) -> ProcessedTile:
    """Read what the backend made of a tile, and judge it as if it had been computed here.

    Parameters
    ----------
    made : MatlabTile
        Done, as its report says.
    batch : MatlabBatch
        Gives what was measured meanwhile.
    measured : dict of str to float
        Quality known before.
    size_px : (2,) ints
        A-lines per B-line, B-lines.
    settings : ProcessSettings
        Bounds.

    Returns
    -------
    tile : ProcessedTile
        Arrays are memory-mapped.

    Raises
    ------
    TileError
        A file is not what it must be.
    DataError
        A number misses the bound from which tiles are refused.
    """
    n_x, n_y = size_px
    arrays: Maps = {}
    for name, path in made.outputs.items():
        shape = (N_DEPTH, n_y, n_x) if name in _VOLUMES else (n_y, n_x)
        arrays[name] = read_made(path, shape)
        if name != "step" and not np.isfinite(arrays[name]).all():
            raise TileError(f"{path}: found NaN or infinite values, expected none", kind="code")
    step_db = arrays.pop("step")
    qc = {"nan_fraction": batch.measured(made.tile, "nan_fraction"), **measured}
    qc |= judge_tile(
        arrays,
        Surface(arrays["surfraw"], step_db),
        arrays["dBI"],
        noise_db=batch.measured(made.tile, "noise_floor_db"),
        min_step_db=settings.min_surface_step_db,
    )
    gates = judged(qc, bounds_of(settings.gates))
    refuse(made.input, gates)
    return ProcessedTile(arrays, qc, gates)
