"""Batches of tiles for the functions of the folder `matlab`: job files out, reports back.

The report decides what became of a tile, and the files that it must have written: never the exit
status of the program.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from octflow.core.backend import BackendName, MatlabSettings
from octflow.core.errors import DataError, TileError
from octflow.core.record import Backend
from octflow.io.matlab_programs import run_program
from octflow.io.matlab_watch import Ended
from octflow.io.nifti import read_nifti

log = logging.getLogger(__name__)

_START_BYTES = 352
_KINDS = {"octflow:data": "data", "octflow:file": "transient"}
"""Errors that our functions raise, and what sort of failure they are."""


@dataclass(frozen=True)
class MatlabTile:
    """One tile, or slice, to be worked on."""

    tile: int
    input: Path
    outputs: dict[str, Path]
    """Products by their names."""
    more: dict[str, Any] = field(default_factory=dict)
    """What else the function of the step is told of it; plain values."""

    def plain(self) -> dict[str, Any]:
        """Return the tile as a job file has it."""
        outputs = {name: str(path) for name, path in self.outputs.items()}
        return {"tile": self.tile, "input": str(self.input), "outputs": outputs, **self.more}


class Verdict(BaseModel):
    """What became of a tile."""

    tile: int
    ok: bool
    identifier: str = ""
    message: str = ""
    seconds: float = 0
    measured: dict[str, float | None] = {}
    failure: str | None = None
    """What sort of failure, where the report does not say: of a program that ended."""

    @property
    def kind(self) -> str:
        """What sort of failure it is.

        Examples
        --------
        >>> Verdict(tile=1, ok=False, identifier="octflow:data").kind
        'data'
        >>> Verdict(tile=1, ok=False, message="undefined near line 1").kind
        'code'
        """
        if self.failure is not None:
            return self.failure
        text = f"{self.identifier} {self.message}".lower()
        if "out of memory" in text or "nomem" in text or "bad_alloc" in text:
            return "resource"
        if "license" in text or "licence" in text:
            return "transient"
        return _KINDS.get(self.identifier, "code")


class _Report(BaseModel):
    """What `run_job` writes."""

    program: str
    version: str
    working: int
    tiles: list[Verdict]


@dataclass(frozen=True)
class MatlabBatch:
    """The tiles of a batch that were worked on."""

    verdicts: dict[int, Verdict]
    tiles: dict[int, MatlabTile]
    program: Backend | None
    """What computed; None where nothing was reported."""

    def of(self, tile: int) -> MatlabTile:
        """Return a tile that was done.

        Raises
        ------
        TileError
            It was not; of the kind that the report, or the end of the program, tells.
        """
        verdict = self.verdicts[tile]
        if not verdict.ok:
            raise TileError(verdict.message, kind=verdict.kind)
        return self.tiles[tile]

    def measured(self, tile: int, name: str) -> float:
        """Return a number that was measured on a tile.

        Raises
        ------
        TileError
            The report does not have it.
        """
        value = self.verdicts[tile].measured.get(name)
        if value is None:
            raise TileError(f"report of tile {tile}: found no {name}, expected it", kind="code")
        return value


@contextmanager
def work_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder for job files and what is not yet a product; remove it at the end.

    What a killed job of the same name left is removed: a program that still runs in it ends when
    it finds no folder for its report.

    Parameters
    ----------
    folder : Path
        That of the products, so that these are renamed and not copied.
    name : str
        Of the batch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f".backend-{name}-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(
        dir=folder, prefix=f".backend-{name}-", ignore_cleanup_errors=True
    ) as work:
        yield Path(work).absolute()


def run_batch(
    step: str,
    tiles: Sequence[MatlabTile],
    parameters: dict[str, Any],
    *,
    backend: BackendName,
    settings: MatlabSettings,
    digest: str | None,
    work: Path,
    threads: int,
) -> MatlabBatch:
    """Let another program work on tiles.

    Octave runs as often as there are threads, side by side; MATLAB, which takes long to start,
    once. A program that ends before its work is done is started anew for what is left, unless it
    did not even begin a tile, or nothing was done for too long.

    Parameters
    ----------
    step : {"convert", "process", "register"}
        Which products.
    tiles : sequence of MatlabTile
        What to work on.
    parameters : dict
        For all tiles; plain values.
    backend : {"octave", "matlab", "matlab-engine"}
        Program.
    settings : MatlabSettings
        How it is run.
    digest : str, optional
        Of the functions.
    work : Path
        Folder for job files and reports, absolute.
    threads : int
        Programs side by side.

    Raises
    ------
    SettingsError
        There is no such program.
    """
    n = min(threads, len(tiles)) if backend == "octave" else min(1, len(tiles))
    lines = [
        _Line(step, parameters, backend, settings, work / f"job-{k}", threads // n)
        for k in range(n)
    ]
    with ThreadPoolExecutor(max_workers=max(1, n)) as pool:
        done = list(pool.map(lambda k: lines[k].work_off(tiles[k::n]), range(n)))
    programs = {line.program for line in lines if line.program}
    version = ", ".join(sorted(programs)) or None
    return MatlabBatch(
        verdicts={tile: verdict for found in done for tile, verdict in found.items()},
        tiles={tile.tile: tile for tile in tiles},
        program=None if version is None else Backend(name=backend, version=version, id=digest),
    )


@dataclass
class _Line:
    """One program after the other that work off a list of tiles."""

    step: str
    parameters: dict[str, Any]
    backend: BackendName
    settings: MatlabSettings
    job: Path
    threads: int
    program: str | None = None
    started: int = 0

    def work_off(self, tiles: Sequence[MatlabTile]) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        left = list(tiles)
        while left:
            ended, report = self._run(left)
            verdicts |= {v.tile: v for v in report.tiles} if report else {}
            blamed = [t for t in left if report and t.tile == report.working]
            left = [t for t in left if t.tile not in verdicts]
            if not blamed or ended.kind == "transient":
                blamed = left
            verdicts |= {t.tile: _unfinished(t, ended) for t in blamed if t.tile not in verdicts}
            left = [t for t in left if t.tile not in verdicts]
        return verdicts

    def _run(self, tiles: list[MatlabTile]) -> tuple[Ended, _Report | None]:
        self.started += 1
        job = self.job.with_name(f"{self.job.name}-{self.started}.json")
        reported = job.with_suffix(".report.json")
        content = {
            "step": self.step,
            "report": str(reported),
            "parameters": self.parameters,
            "tiles": [tile.plain() for tile in tiles],
        }
        job.write_text(json.dumps(content))
        ended = run_program(self.backend, self.settings, job, reported, threads=self.threads)
        report = _read_report(reported)
        if report is not None:
            self.program = f"{report.program} {report.version}"
        return ended, report


def _unfinished(tile: MatlabTile, ended: Ended) -> Verdict:
    message = f"{tile.input}: found no report of the tile, expected one: {ended.how}"
    return Verdict(tile=tile.tile, ok=False, message=message, failure=ended.kind)


def _read_report(path: Path) -> _Report | None:
    """Read what was reported; None where nothing was, or not as it should be."""
    try:
        return _Report.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        log.warning("%s: %s", path, error)
        return None


def read_made(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read a product that another program wrote, memory-mapped, after a look at all of its file.

    Parameters
    ----------
    path : Path
        NIfTI, uncompressed.
    shape : (2,) or (3,) ints
        (Y, X) or (Z, Y, X) that it must have.

    Raises
    ------
    TileError
        No file, another size, shape or type than it must have: the fault of a function, or of the
        program, which says nothing about the tile.
    """
    expected = _START_BYTES + 4 * int(np.prod(shape))
    found = path.stat().st_size if path.exists() else 0
    if found != expected:
        raise TileError(f"{path}: found {found} bytes, expected {expected}", kind="code")
    try:
        array = read_nifti(path)
    except DataError as error:
        raise TileError(str(error), kind="code") from error
    if array.shape != shape or array.dtype != np.float32:
        raise TileError(
            f"{path}: found {array.dtype} {array.shape}, expected float32 {shape}", kind="code"
        )
    return array
