"""Have a region made anew: set its flags aside, and those of all that was made from it.

What was made from what, the records themselves say: there is no second copy of the rules.
"""

import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from octflow import stages
from octflow.core.errors import DataError, SettingsError
from octflow.core.layout import FLAGS, job_of, rank_of
from octflow.core.part import Part
from octflow.io.batch import tile_record
from octflow.io.volume_reuse import BANDS
from octflow.services.parts import flags_in
from octflow.services.retire import retire, state_lock
from octflow.workflow.alive import started_by_hand
from octflow.workflow.reading import READERS
from octflow.workflow.session import Session

_RULES = list(FLAGS)
_STAGES = [one.name for one in pkgutil.iter_modules(stages.__path__)]


@dataclass(frozen=True)
class Retiree:
    """A flag that is to be set aside."""

    flag: str
    """Path, relative to the project folder."""
    rule: str
    """Rule that made it, and will again."""
    why: str
    """asked for, or the flag it was made from."""
    wall_s: float
    """How long the job took."""
    reused: tuple[str, ...] = ()
    """What would let the job keep finished tiles or shards; set aside where it was asked for."""


@dataclass(frozen=True)
class Replay:
    """What is to be made anew."""

    retirees: tuple[Retiree, ...]
    """In the order of the data."""
    gone: tuple[str, ...]
    """What the jobs would read and is not there, nor would be made before: they would fail."""

    @property
    def wall_s(self) -> float:
        """How long the jobs took, s, one after the other."""
        return sum(one.wall_s for one in self.retirees)


@dataclass(frozen=True)
class _Known:
    """What is kept of a record while all are looked at; its lists of products would fill memory."""

    rule: str
    stage: str
    wall_s: float
    reads: list[str]


def replay_of(session: Session, part: Part, since: str) -> Replay:
    """Find what is made anew where a part is done again from a stage on. Changes nothing.

    Parameters
    ----------
    session : Session
        The project.
    part : Part
        Which part of the sample.
    since : str
        Stage, or rule, whose flags in this part are set aside; with all that was made from them,
        also beyond the part.

    Raises
    ------
    SettingsError
        There is no such stage, or no such illumination.
    DataError
        The part has no flag of that stage.
    """
    _check(session, part, since)
    there = flags_in(session, part)
    known = {flag: _known(session.project, flag) for flag in there}
    roots = [f for f, one in known.items() if one and since in {one.rule, one.stage}]
    if not roots:
        stages = list(dict.fromkeys(one.stage for one in known.values() if one))
        found = f"flags of {', '.join(stages)}" if stages else "no flag"
        raise DataError(session.project, found=f"{found} in {part}", expected=f"one of {since}")
    return replay_from(session, roots)


def _check(session: Session, part: Part, since: str) -> None:
    """Refuse what is misspelt: it would look like something that was not made yet."""
    if since not in _STAGES and since not in FLAGS:
        known = ", ".join(_STAGES)
        raise SettingsError(
            f"found {since}, expected a stage ({known}) or a rule such as {_RULES[0]}"
        )
    names = [row.name for row in session.config.experiment.illuminations]
    if part.illumination is not None and part.illumination not in names:
        raise SettingsError(f"found illumination {part.illumination}, expected {', '.join(names)}")


def replay_from(session: Session, roots: list[str]) -> Replay:
    """Find what is made anew where these flags are set aside. Changes nothing."""
    if not roots:
        return Replay((), ())
    known = _later(session, roots)
    why = dict.fromkeys(roots, "asked for")
    for flag in known:  # In the order of the data: what was made from others comes after them.
        if flag not in why and (read := _first(known[flag], why)):
            why[flag] = f"made from {read}"
    files = _Files(session.project)
    retirees = []
    for flag in (flag for flag in known if flag in why):
        reused = files.add(flag)
        one = Retiree(flag, known[flag].rule, why[flag], known[flag].wall_s)
        retirees.append(replace(one, reused=reused) if flag in roots else one)
    return Replay(tuple(retirees), tuple(files.gone()))


def carry_out(session: Session, plan: Replay, *, reason: str, force: bool = False) -> Path | None:
    """Set the flags of a plan aside; the next run, or the watcher, makes them anew.

    Those downstream go first, so that at no instant, nor where it is killed, there is a flag
    whose inputs are gone; to go on, plan and replay again. Products stay until they are replaced.

    Parameters
    ----------
    session : Session
        The project.
    plan : Replay
        What to set aside.
    reason : str
        Why; kept with the flags.
    force : bool
        Even where files are gone that the jobs would read.

    Returns
    -------
    folder : Path or None
        Where the flags lie now.

    Raises
    ------
    DataError
        Files are gone that would be read, or a Snakemake that was started by hand runs.
    """
    if plan.gone and not force:
        more = f" and {len(plan.gone) - 1} more" if len(plan.gone) > 1 else ""
        raise DataError(plan.gone[0], found=f"no such file{more}", expected="what is to be read")
    lock = state_lock(session.project)
    with lock.holding(f"replay: {reason}"):
        if started_by_hand(session.project):
            found = "a Snakemake that was started by hand"
            raise DataError(session.project, found=found, expected="none while flags are set aside")
        paths = [path for one in plan.retirees for path in (*one.reused, one.flag)]
        return retire(session.project, paths, reason=reason, lock=lock)


def _later(session: Session, roots: list[str]) -> dict[str, _Known]:
    """Read the roots, and the flags of all rules that may have read from them, in data order."""
    ranked = [(rank_of(flag), flag) for flag in flags_in(session, Part())]
    first = min(rank_of(flag) for flag in roots)
    wanted = [flag for rank, flag in sorted(ranked) if rank > first or flag in roots]
    found = ((flag, _known(session.project, flag)) for flag in wanted)
    return {flag: one for flag, one in found if one is not None}


def _known(project: Path, flag: str) -> _Known | None:
    """Read a flag; None where it was taken away since it was listed."""
    try:
        plain = _plain(project / flag)
    except FileNotFoundError:
        return None
    reads = [p["path"] for p in plain["inputs"] if p["role"] == "record"]
    return _Known(plain["rule"], plain["stage"], plain["wall_s"], reads)


def _plain(path: Path) -> dict[str, Any]:
    """Read a record without checking all of it, which takes ten times as long."""
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        if not {"rule", "stage", "wall_s", "inputs", "outputs"} <= plain.keys():
            raise KeyError("rule, stage, wall_s, inputs or outputs")
        return plain
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(path, found=repr(error), expected="a record") from error


def _first(one: _Known, among: dict[str, str]) -> str:
    return next((flag for flag in followed(one.rule, one.reads) if flag in among), "")


def followed(rule: str, reads: list[str]) -> list[str]:
    """Return the flags a job is done again for: not those that only handed it raw bytes."""
    if rule != "archive_batch":
        return reads
    return [flag for flag in reads if (job_of(flag) or ("",))[0] not in READERS]


class _Files:
    """What the jobs to be done again would read and write."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._read: dict[str, None] = {}
        self._made: set[str] = set()

    def add(self, flag: str) -> tuple[str, ...]:
        """Take in a job; return the small files by which it would keep what is finished."""
        try:
            plain = _plain(self._project / flag)
        except FileNotFoundError:
            return ()
        self._read |= {p["path"]: None for p in plain["inputs"] if p["role"] != "record"}
        self._made |= {p["path"] for p in plain["outputs"]}
        names = (*_digests(plain), *_tile_records(plain))
        return tuple(name for name in names if (self._project / name).is_file())

    def gone(self) -> Iterator[str]:
        """Yield files that are neither there nor made by one of the jobs."""
        files = (path for path in self._read if path not in self._made)
        yield from (path for path in files if not (self._project / path).exists())


def _digests(plain: dict[str, Any]) -> Iterator[str]:
    """Name the digests that volumes keep their shards by."""
    yield from (str(Path(product["path"]) / BANDS) for product in plain["outputs"])


def _tile_records(plain: dict[str, Any]) -> Iterator[str]:
    """Name the small records that tiles are kept by."""
    folder, tiles = plain["parameters"].get("folder"), plain["tiles"]
    if folder is not None and tiles:
        numbers = [*tiles["ok"], *(failed["tile"] for failed in tiles["failed"])]
        yield from (str(tile_record(Path(folder) / "records", tile)) for tile in sorted(numbers))
