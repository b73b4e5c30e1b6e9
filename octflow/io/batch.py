"""Work through the tiles of a batch one by one: isolated, resumable, in parallel.

Every tile leaves a small record beside its products. A resumed batch redoes only the tiles whose
record does not match: other input, other parameters, other stage version, products gone.
"""

import errno
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from octflow.core.errors import DataError, TileError, TooManyFailuresError, kind_of
from octflow.core.record import Backend, Gate, Product, TileFailure
from octflow.core.settings import Retries
from octflow.io.atomic import replacing
from octflow.io.records import checked

log = logging.getLogger(__name__)

_UNREADABLE = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}


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
    attempts: int = 1
    """How often it was tried in the job that made it."""
    backend: Backend | None = None
    """What computed it, where that is not Python."""


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

    @property
    def backend(self) -> Backend | None:
        """What computed; all versions, where tiles were made at different times."""
        told = [record.backend for record in self.done if record.backend]
        if not told:
            return None
        versions = ", ".join(sorted({backend.version for backend in told if backend.version}))
        return told[-1].model_copy(update={"version": versions})


def work_through(
    jobs: Sequence[TileJob],
    work: Callable[[TileJob], TileRecord],
    *,
    records: Path,
    signature: str,
    threads: int,
    retries: Retries | None = None,
    lasting: bool = True,
    sleep: Callable[[float], None] = time.sleep,
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
    retries : Retries, optional
        How often, and after what waits, what may pass by itself is tried again.
    lasting : bool
        Products must still be there for a tile to count as done; not so if a later stage removes
        them when it has used them.
    sleep : callable
        Waits for so many seconds.

    Returns
    -------
    result : BatchResult
        Tiles in ascending order, whatever the order they were finished in.
    """
    clock = _Clock(len(jobs))
    waits_s = (retries or Retries()).waits_s

    def make(job: TileJob, attempts: int) -> TileRecord:
        if (known := recall(records, job, signature, lasting=lasting)) is not None:
            clock.tick(job.tile, "kept")
            return known
        record = work(job).model_copy(update={"attempts": attempts})
        write_tile_record(records, record)
        clock.tick(job.tile, "done")
        return record

    def attempt(job: TileJob) -> TileRecord | TileFailure:
        for attempts in range(1, len(waits_s) + 2):
            try:
                return make(job, attempts)
            except Exception as error:  # noqa: BLE001 - one bad tile must not stop the others
                failure = _failed(job, error, attempts)
                if attempts > len(waits_s) or kind_of(error) != "transient":
                    break
            wait_s = waits_s[attempts - 1]
            log.warning("tile %d is tried again in %.0f s", job.tile, wait_s)
            sleep(wait_s)
        clock.tick(job.tile, "failed")
        return failure

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
    TileError
        A tile failed for a reason that trying again may cure, or that is a defect of the program.
    TooManyFailuresError
        More tiles than accepted failed because of their data.
    """
    curable = [f for f in result.failed if f.kind != "data"]
    if curable:
        first = curable[0]
        raise TileError(f"tile {first.tile}: {first.reason}", kind=first.kind)
    if len(result.failed) > max_failed_tiles:
        raise TooManyFailuresError(
            f"{len(result.failed)} tiles failed, at most {max_failed_tiles} accepted; "
            f"the first: {result.failed[0].reason}"
        )


def read_tile_record(records: Path, tile: int) -> TileRecord | None:
    """Read the small record of one tile from its folder; None where there is none."""
    try:
        return TileRecord.model_validate_json(tile_record(records, tile).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_tile_record(records: Path, record: TileRecord) -> None:
    """Write the small record of one tile to its folder."""
    with replacing(tile_record(records, record.tile)) as part:
        part.write_text(record.model_dump_json(indent=1) + "\n")


def recall(
    records: Path, job: TileJob, signature: str, *, lasting: bool = True
) -> TileRecord | None:
    """Return the small record of a tile that need not be done again, else None.

    Parameters
    ----------
    records : Path
        Folder of the small records.
    job : TileJob
        The tile and what it would be made from.
    signature : str
        Digest of everything besides the input that decides the products.
    lasting : bool
        Products must still be there.
    """
    record = read_tile_record(records, job.tile)
    if record is None or (record.source, record.signature) != (job.source.id, signature):
        return None
    try:
        for listed_product in record.outputs:
            if lasting or Path(listed_product.path).exists():
                checked(listed_product)
    except (FileNotFoundError, NotADirectoryError, DataError):
        return None
    return record


def reason_of(job: TileJob, error: Exception) -> tuple[str, str]:
    """Return what sort of failure an error is for a tile, and one line: file, found, expected."""
    kind = kind_of(error)
    if isinstance(error, OSError):
        return _judged(job, error)
    if kind == "code":
        return kind, f"{job.source.path}: {type(error).__name__}: {error}"
    return kind, str(error)


def tile_record(records: Path, tile: int) -> Path:
    """Return the path of the small record of a tile."""
    return records / f"tile-{tile:04d}.json"


def _failed(job: TileJob, error: Exception, attempts: int) -> TileFailure:
    kind, reason = reason_of(job, error)
    log.warning("tile %d failed: %s", job.tile, reason, exc_info=kind == "code")
    return TileFailure(tile=job.tile, reason=reason, kind=kind, attempts=attempts)


def _judged(job: TileJob, error: OSError) -> tuple[str, str]:
    """Say what an error of the file system means for a tile.

    A raw tile that cannot be opened is bad data: a hole. A folder that cannot be written to is
    not, or a whole batch would become holes that nobody fills again.
    """
    where = str(error.filename or job.source.path)
    found = (error.strerror or str(error)).lower()
    if where == job.source.path and error.errno in _UNREADABLE:
        return "data", str(DataError(where, found=found, expected="a file that can be read"))
    kind = kind_of(error)
    expected = "a working file system"
    if kind == "resource":
        expected = "room for the products"
    elif error.errno in _UNWRITABLE:
        expected = "a folder that can be written to"
    return kind, str(DataError(where, found=found, expected=expected))


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
