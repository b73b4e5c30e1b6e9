"""Work through the tiles of a batch one by one: isolated, resumable, in parallel.

Every tile leaves a small record beside its products. A resumed batch redoes only the tiles whose
record does not match: other input, other parameters, other stage version, products gone.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from octflow.core.errors import DataError, OctflowError, TooManyFailuresError, kind_of
from octflow.core.record import Gate, Product, TileFailure
from octflow.io.atomic import replacing
from octflow.io.records import checked

log = logging.getLogger(__name__)


class TileRecord(BaseModel):
    """What is remembered of one tile: enough to know that it need not be done again."""

    tile: int
    source: str
    """Identity of the input the products were made from."""
    signature: str
    """Digest of parameters and stage version."""
    inputs: list[Product] = []
    outputs: list[Product] = []
    qc: dict[str, float] = {}
    gates: list[Gate] = []


@dataclass(frozen=True)
class TileJob:
    """One tile to be worked on."""

    tile: int
    source: Product


@dataclass
class BatchResult:
    """The tiles done, ascending, and those that failed."""

    done: list[TileRecord] = field(default_factory=list)
    failed: list[TileFailure] = field(default_factory=list)

    @property
    def inputs(self) -> list[Product]:
        """Everything that was read."""
        return [p for record in self.done for p in record.inputs]

    @property
    def outputs(self) -> list[Product]:
        """Everything that was written."""
        return [p for record in self.done for p in record.outputs]


def work_through(
    jobs: Sequence[TileJob],
    work: Callable[[TileJob], TileRecord],
    *,
    records: Path,
    signature: str,
    threads: int,
) -> BatchResult:
    """Work on every tile; a tile that fails is recorded and the others go on.

    Parameters
    ----------
    jobs : sequence of TileJob
        Tiles with their inputs.
    work : callable
        Makes the products of one tile; what it raises is kept as the tile's failure.
    records : Path
        Folder of the small records.
    signature : str
        Digest of everything besides the input that decides the products.
    threads : int
        Tiles worked on side by side; the products do not depend on it.

    Returns
    -------
    result : BatchResult
        Tiles in ascending order, whatever the order they were finished in.
    """
    clock = _Clock(len(jobs))

    def attempt(job: TileJob) -> TileRecord | TileFailure:
        path = records / f"tile-{job.tile:04d}.json"
        try:
            if (known := _recall(path, job, signature)) is not None:
                clock.tick(job.tile, "kept")
                return known
            record = work(job)
            with replacing(path) as part:
                part.write_text(record.model_dump_json(indent=1) + "\n")
        except Exception as error:  # noqa: BLE001 - one bad tile must not stop the others
            return _failed(job, error)
        clock.tick(job.tile, "done")
        return record

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        results = list(pool.map(attempt, sorted(jobs, key=lambda job: job.tile)))
    return BatchResult(
        done=[r for r in results if isinstance(r, TileRecord)],
        failed=[r for r in results if isinstance(r, TileFailure)],
    )


def accept(result: BatchResult, *, max_failed_tiles: int) -> None:
    """Let a batch pass with holes, or stop it.

    Raises
    ------
    OctflowError
        A tile failed for a reason that trying again may cure, or that is a defect of the program.
    TooManyFailuresError
        More tiles than accepted failed because of their data.
    """
    curable = [f for f in result.failed if f.kind != "data"]
    if curable:
        raise OctflowError(f"tile {curable[0].tile}: {curable[0].reason}")
    if len(result.failed) > max_failed_tiles:
        raise TooManyFailuresError(
            f"{len(result.failed)} tiles failed, at most {max_failed_tiles} accepted; "
            f"the first: {result.failed[0].reason}"
        )


def _recall(path: Path, job: TileJob, signature: str) -> TileRecord | None:
    try:
        record = TileRecord.model_validate_json(path.read_bytes())
        for listed_product in record.outputs:
            checked(listed_product)
    except (FileNotFoundError, ValidationError, DataError):
        return None
    same = record.source == job.source.id and record.signature == signature
    return record if same else None


def _failed(job: TileJob, error: Exception) -> TileFailure:
    kind = kind_of(error)
    reason = str(error) if kind == "data" else f"{job.source.path}: {type(error).__name__}: {error}"
    log.warning("tile %d failed: %s", job.tile, reason, exc_info=kind == "code")
    return TileFailure(tile=job.tile, reason=reason, kind=kind)


class _Clock:
    """Says how far a batch is, and how long it will still take."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.finished = 0
        self.started_s = time.monotonic()

    def tick(self, tile: int, verb: str) -> None:
        self.finished += 1
        each_s = (time.monotonic() - self.started_s) / self.finished
        left_s = each_s * (self.total - self.finished)
        log.info(
            "tile %d %s, %d of %d, about %.0f s left", tile, verb, self.finished, self.total, left_s
        )
