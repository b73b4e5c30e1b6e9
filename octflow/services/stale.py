"""What was made with other parameters, code or inputs than would be used now."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError
from octflow.core.part import Part
from octflow.services.parts import flags_in
from octflow.services.replay import followed
from octflow.workflow.params import Rules
from octflow.workflow.records import current_commit
from octflow.workflow.session import Session

_ABSENT = "(none)"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was."""

    key: str
    """Parameter, `stage version`, or the flag that was read."""
    was: Any
    """By the record."""
    now: Any
    """By the configuration, the code, or the flag that is there."""


@dataclass(frozen=True)
class Stale:
    """A flag that would be made otherwise now."""

    flag: str
    """Path, relative to the project folder."""
    rule: str
    """Rule that made it."""
    differences: tuple[Difference, ...]
    """What differs."""


@dataclass(frozen=True)
class Staleness:
    """All of a project."""

    stale: tuple[Stale, ...]
    """Flags that would be made otherwise; not those only made from such."""
    looked_at: int
    """Flags in all."""
    other_commits: dict[str, int]
    """Flags that differ in nothing but the commit of the code, by that commit."""


@dataclass(frozen=True)
class _Read:
    record_id: str
    rule: str
    stage_version: int
    commit: str | None
    parameters: dict[str, Any]
    inputs: dict[str, str]


def staleness_of(session: Session, rules: Rules) -> Staleness:
    """Hold all flags of a project against what would be done now.

    Parameters
    ----------
    session : Session
        The project.
    rules : Rules
        The rules for its configuration.

    Raises
    ------
    DataError
        A flag is not a record.
    """
    names = {row.name for row in session.config.experiment.illuminations}
    units = flags_in(session, Part()).items()
    flags = [flag for flag, unit in units if unit.illumination in {None, *names}]
    found = ((flag, _read(session.project, flag)) for flag in flags)
    known = {flag: read for flag, read in found if read is not None}
    stale, others, commit = [], Counter[str](), current_commit()
    for flag, read in known.items():
        if differences := tuple(_differences(flag, read, known, rules)):
            stale.append(Stale(flag, read.rule, differences))
        elif read.commit != commit:
            others[str(read.commit)] += 1
    return Staleness(tuple(stale), len(known), dict(others))


def _differences(
    flag: str, read: _Read, known: dict[str, _Read], rules: Rules
) -> Iterator[Difference]:
    now = rules.parameters(flag)
    version = now.pop("version")
    if read.stage_version != version:
        yield Difference("stage version", read.stage_version, version)
    skipped = rules.names(flag) - now.keys()
    was = {name: value for name, value in read.parameters.items() if name not in skipped}
    yield from _compared("", was, now)
    for path in followed(read.rule, list(read.inputs)):
        there = known.get(path)
        if there is None or there.record_id != read.inputs[path]:
            yield Difference(path, read.inputs[path], there.record_id if there else _ABSENT)


def _compared(key: str, was: Any, now: Any) -> Iterator[Difference]:  # noqa: ANN401 - JSON
    """Find the keys, however deep, whose values differ."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        if was != now:
            yield Difference(key, was, now)
        return
    for name in dict.fromkeys([*was, *now]):
        deeper = f"{key}.{name}" if key else name
        yield from _compared(deeper, was.get(name, _ABSENT), now.get(name, _ABSENT))


def _read(project: Path, flag: str) -> _Read | None:
    """Read what is compared of a record; None where the flag was taken away since it was listed."""
    path = project / flag
    try:
        plain = json.loads(path.read_bytes())
        return _Read(
            plain["record_id"],
            plain["rule"],
            plain["code"]["stage_version"],
            plain["code"]["commit"],
            plain["parameters"],
            {p["path"]: p["id"] for p in plain["inputs"] if p["role"] == "record"},
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(path, found=repr(error), expected="a record") from error
