"""Make the record of an attempt: the one writer of flags and lineage."""

import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import octflow
from octflow.core.record import Code, Executor, Failure, Outcome, Product, Record, Unit
from octflow.io.digest import content_id
from octflow.io.processes import user
from octflow.io.records import product, write_record

_NO_ID = f"sha256:{'0' * 64}"
_SCHEDULERS = (
    ("slurm", "SLURM_JOB_ID", "SLURMD_NODENAME"),
    ("ssh", "OCTFLOW_HOST_JOB", "OCTFLOW_NODE"),
)
"""Schedulers, and the variables in which their jobs find their id and the name of the host."""


def lineage_folder(rule: str, unit: Unit) -> Path:
    """Return the folder of all attempts of a job, relative to the project folder.

    Examples
    --------
    >>> str(lineage_folder("register_slice", Unit(project="p", slice=1)))
    'lineage/register_slice/slice-001'
    """
    ids = unit.model_dump(exclude_none=True, exclude={"project"})
    name = "_".join(f"{k}-{v:03d}" if isinstance(v, int) else f"{k}-{v}" for k, v in ids.items())
    return Path("lineage") / rule / (name or "project")


@dataclass
class Attempt:
    """One attempt of one job, from its start to its record."""

    stage: str
    rule: str
    unit: Unit
    flags: list[Path]
    parameters: dict[str, Any]
    stage_version: int
    pool: str
    threads: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _records_read: list[Product] = field(init=False)

    def __post_init__(self) -> None:
        """Look at the flags now: one that is replaced while the job runs is not what it read."""
        self._records_read = [_flag_product(path) for path in self.flags]

    @property
    def folder(self) -> Path:
        """Folder of all attempts of this job; Snakemake never deletes it."""
        return lineage_folder(self.rule, self.unit)

    def succeeded(self, outcome: Outcome, declared: dict[str, Path]) -> Record:
        """Record a success: what the function told, and the declared outputs it wrote."""
        listed = {p.path for p in outcome.outputs}
        extra = [product(p, role) for role, p in declared.items() if str(p) not in listed]
        return self._record(outcome, "succeeded", None, extra)

    def failed(self, error: BaseException, kind: str) -> Record:
        """Record a failure."""
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        failure = Failure.model_validate({"kind": kind, "message": message})
        return self._record(Outcome(), "failed", failure, [])

    def _record(
        self, outcome: Outcome, status: str, error: Failure | None, extra: list[Product]
    ) -> Record:
        ended = datetime.now(UTC)
        body = {
            "stage": self.stage,
            "rule": self.rule,
            "unit": self.unit,
            "status": status,
            "error": error,
            "inputs": [*self._records_read, *outcome.inputs],
            "outputs": [*outcome.outputs, *extra],
            "tiles": outcome.tiles,
            "assets": outcome.assets,
            "parameters": self.parameters,
            "parameter_hash": content_id(self.parameters),
            "code": _code(self.stage_version),
            "executor": _executor(self.pool, self.threads),
            "started_at": self.started.isoformat(timespec="milliseconds"),
            "ended_at": ended.isoformat(timespec="milliseconds"),
            "wall_s": round((ended - self.started).total_seconds(), 3),
            "max_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "attempt": self._count() + 1,
            "qc": outcome.qc,
            "gates": outcome.gates,
            "warnings": outcome.warnings,
        }
        record = Record.model_validate({"record_id": _NO_ID, **body})
        plain = record.model_dump(mode="json", exclude={"record_id"})
        return record.model_copy(update={"record_id": content_id(plain)})

    def _count(self) -> int:
        return len(list(self.folder.glob("attempt-*.json")))

    def keep(self, record: Record) -> None:
        """Keep the record among all attempts of the job."""
        write_record(self.folder / f"attempt-{record.attempt:03d}.json", record)


def _flag_product(path: Path) -> Product:
    """Name an input record by its own id."""
    content = path.read_bytes()
    record_id = json.loads(content)["record_id"]
    return Product(id=record_id, path=str(path), bytes=len(content), role="record")


def _executor(pool: str, threads: int) -> Executor:
    scheduler, job, node = next(
        (named for named in _SCHEDULERS if named[1] in os.environ), ("local", "", "")
    )
    return Executor(
        host=platform.node(),
        user=user(),
        pid=os.getpid(),
        scheduler=scheduler,
        scheduler_job=os.environ.get(job),
        partition=os.environ.get("SLURM_JOB_PARTITION"),
        node=os.environ.get(node),
        pool=pool,
        threads=threads,
    )


@cache
def _code(stage_version: int) -> Code:
    commit = current_commit()
    return Code(
        package="octflow",
        version=octflow.__version__,
        commit=commit,
        dirty=None if commit is None else bool(_git("status", "--porcelain", "-uno")),
        stage_version=stage_version,
        backend="python",
        environment=content_id(_packages()),
    )


def _packages() -> list[str]:
    """Return name and version of all packages, from the names of the folders that tell of them.

    What is in those folders takes some forty times as long to read, and says the same.
    """
    folders = (Path(folder) for folder in sys.path)
    return sorted({path.stem for folder in folders for path in folder.glob("*.*-info")})


def current_commit() -> str | None:
    """Return the commit of the checkout that octflow runs from; None outside one."""
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    """Ask git about the checkout that octflow runs from; None outside one."""
    folder = Path(octflow.__file__).parents[1]
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
