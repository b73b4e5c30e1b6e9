"""The origin of a product in words, as a tree."""

import json
from collections.abc import Iterator, Sequence

from octflow.core.record import Product, Record
from octflow.services.jobs import Job
from octflow.services.why import Origin

_LONGEST = 100


def lines_of(
    origin: Origin, *, parameters: bool = False, depth: int | None = None
) -> Iterator[str]:
    """Yield the lines that `octflow why` prints.

    Parameters
    ----------
    origin : Origin
        The job that made it.
    parameters : bool
        Print the parameters of that job whole; otherwise each is cut to a line.
    depth : int, optional
        How many jobs back; all, otherwise. A job that several others read is told once.
    """
    yield from _job(origin)
    yield f"  parameters {origin.record.parameter_hash}"
    for name, value in origin.record.parameters.items():
        plain = json.dumps(value)
        cut = not parameters and len(plain) > _LONGEST
        yield f"    {name}: {plain[:_LONGEST] + ' ...' if cut else plain}"
    yield from _inputs(origin, told=set(), depth=depth)


def _job(origin: Origin) -> Iterator[str]:
    record = origin.record
    yield f"{Job(record.rule, record.unit).name}: {record.status}, {origin.path}"
    if record.error is not None:
        yield f"  {record.error.kind}: {record.error.message}"
    yield f"  {_when(record)}, {_where(record)}"
    yield f"  {_code(record)}"


def _when(record: Record) -> str:
    return f"{record.started_at[:19]} UTC, {record.wall_s:.1f} s, attempt {record.attempt}"


def _where(record: Record) -> str:
    place = record.executor
    job = f" job {place.scheduler_job}" if place.scheduler_job else ""
    return f"on {place.host} by {place.user} ({place.scheduler}{job}, pool {place.pool})"


def _code(record: Record) -> str:
    code = record.code
    commit = "no commit" if code.commit is None else f"commit {code.commit[:12]}"
    changed = " with changes" if code.dirty else ""
    stage = f"stage {record.stage} version {code.stage_version}"
    backend = code.backend_version or code.backend
    return f"{code.package} {code.version}, {commit}{changed}, {stage}, {backend}"


def _inputs(origin: Origin, *, told: set[str], depth: int | None) -> Iterator[str]:
    """Yield what a job read: files, then the jobs before it, indented below it."""
    yield from (f"  read {line}" for line in _files(origin.files))
    yield from (f"  read {lost.path} {lost.id}: no longer there" for lost in origin.lost)
    if depth == 0 and origin.made_from:
        yield f"  made from {len(origin.made_from)} jobs before (--depth)"
        return
    for before in origin.made_from:
        yield from (f"  {line}" for line in _before(before, told, depth))


def _before(origin: Origin, told: set[str], depth: int | None) -> Iterator[str]:
    record = origin.record
    if record.record_id in told:
        yield f"{Job(record.rule, record.unit).name}: above"
        return
    told.add(record.record_id)
    yield from _job(origin)
    yield f"  parameters {record.parameter_hash}"
    yield from _inputs(origin, told=told, depth=None if depth is None else depth - 1)


def _files(files: Sequence[Product]) -> Iterator[str]:
    """Name a file; sum up several of one role."""
    by_role: dict[str, list[Product]] = {}
    for file in files:
        by_role.setdefault(file.role, []).append(file)
    for role, some in by_role.items():
        if len(some) == 1:
            yield f"{role} {some[0].path} {some[0].id}"
        else:
            total_mb = sum(file.bytes for file in some) / 1e6
            yield f"{role}: {len(some)} files, {total_mb:.1f} MB, {some[0].path} and so on"
