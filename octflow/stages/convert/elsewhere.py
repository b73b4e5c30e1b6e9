"""Complex tiles that another program reconstructs, with the functions of the folder `matlab`."""

import logging
from collections.abc import Sequence
from pathlib import Path

from octflow.core.backend import MatlabSettings
from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.names import RawKind
from octflow.io.atomic import complete
from octflow.io.batch import TileJob
from octflow.io.compressed import is_compressed, unpack
from octflow.io.matlab_job import MatlabBatch, MatlabTile, read_made, run_batch
from octflow.stages.convert.settings import ConvertSettings

log = logging.getLogger(__name__)


def reconstruct_elsewhere(
    jobs: Sequence[TileJob],
    kind: RawKind,
    illumination: Illumination,
    instrument: Instrument,
    settings: ConvertSettings,
    matlab: MatlabSettings,
    *,
    work: Path,
    threads: int,
) -> MatlabBatch:
    """Let the backend reconstruct tiles, each into a file of a folder for the work.

    Parameters
    ----------
    jobs : sequence of TileJob
        Raw tiles.
    kind : {"spectral", "spectral_12bit"}
        Their format.
    illumination : Illumination
        Gives the size of a tile, and its A-lines where a raw file holds several illuminations.
    instrument : Instrument
        Gives wavelength maps, dispersion and voxel size.
    settings : ConvertSettings
        Backend and window.
    matlab : MatlabSettings
        How it is run.
    work : Path
        Folder, absolute.
    threads : int
        Programs side by side.
    """
    file = instrument.dispersion_file
    parameters = {
        "kind": kind,
        "n_x": illumination.tile_size_x_px,
        "n_y": illumination.tile_size_y_px,
        "lane": illumination.lane,
        "n_lanes": illumination.n_lanes,
        "cameras": [camera.plain() for camera in instrument.cameras],
        "dispersion_file": str(Path(file).absolute()) if file else None,
        "window": settings.window,
        "voxel_mm": instrument.voxel_size_mm,
    }
    tiles = [
        MatlabTile(job.tile, path, {"complex": work / f"tile-{job.tile:04d}-complex.nii"})
        for job in jobs
        if (path := _plain(Path(job.source.path).absolute(), work)) is not None
    ]
    return run_batch(
        "convert",
        tiles,
        parameters,
        backend=settings.backend,
        settings=matlab,
        digest=settings.backend_id,
        work=work,
        threads=threads,
    )


def _plain(path: Path, work: Path) -> Path | None:
    """Return a raw file that is not compressed; None where what is compressed is damaged.

    That is said of the tile when it is examined.
    """
    if not is_compressed(path):
        return path
    try:
        return unpack(path, work)
    except DataError as error:
        log.warning("%s", error)
        return None


def place_complex(made: MatlabTile, written: Path, shape: tuple[int, int, int]) -> None:
    """Give a complex tile that is whole its place.

    Parameters
    ----------
    made : MatlabTile
        Done, as its report says.
    written : Path
        Final name.
    shape : (3,) ints
        (Z, Y, X) of the tile.

    Raises
    ------
    TileError
        The file is not what it must be.
    """
    n_z, n_y, n_x = shape
    part = made.outputs["complex"]
    read_made(part, (n_z, n_y, 4 * n_x))
    complete(part, written)
