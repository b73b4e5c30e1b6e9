"""What the watcher no longer tries: the files it writes for people, and their events."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import Signals

from pydantic import BaseModel, ConfigDict, ValidationError

from octflow.core.errors import DataError
from octflow.core.experiment import Experiment
from octflow.core.layout import job_of
from octflow.io.atomic import replacing
from octflow.services.events.catalogue import PREFIX, Context, Event, event_id, level_of, subject_of
from octflow.services.parts import unit_of

FOLDER = Path("watch/given-up")
"""One file for every target that is given up now, relative to the project folder."""


class GivenUp(BaseModel):
    """A target that needs a person: it failed as often as `watch.max_attempts` allows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    """Flag that was not made, relative to the project folder."""
    lane: str
    failures: int
    first_failed_at: str
    """UTC, ISO 8601. With the target it tells one giving up from the next."""
    given_up_at: str
    status: int | None
    """Exit status of the last Snakemake process."""
    log: str
    """What it said, relative to the project folder."""
    host: str

    def __str__(self) -> str:
        return f"{self.target}: {self.failures} failures, the last one {self._how} ({self.log})"

    @property
    def _how(self) -> str:
        if self.status is None:
            return "of a process that was gone"
        if self.status < 0:
            return f"killed by {Signals(-self.status).name}"
        return f"with exit status {self.status}"


def file_of(target: str) -> str:
    """Return the name of the file of a target.

    Examples
    --------
    >>> file_of("mosaic-001/state/batch-002.processed")
    'mosaic-001_batch-002.processed.json'
    """
    return "_".join(part for part in target.split("/") if part != "state") + ".json"


def write_given_up(project: Path, found: list[GivenUp]) -> None:
    """Have the folder tell of these targets and no others; what it tells of already stays."""
    named = {file_of(given_up.target): given_up for given_up in found}
    for old in (project / FOLDER).glob("*.json"):
        if old.name not in named:
            old.unlink(missing_ok=True)
    for name, given_up in named.items():
        path, text = project / FOLDER / name, given_up.model_dump_json(indent=1) + "\n"
        if not path.exists() or path.read_text() != text:
            with replacing(path) as part:
                part.write_text(text)


def read_given_up(path: Path) -> GivenUp:
    """Read the file of one target.

    Raises
    ------
    DataError
        It is not one.
    """
    try:
        return GivenUp.model_validate_json(path.read_bytes())
    except ValidationError as error:
        found = f"{error.errors()[0]['msg']}"
        raise DataError(path, found=found, expected="a target that was given up") from None


def all_given_up(project: Path) -> Iterator[GivenUp]:
    """Yield what needs a person now; nothing of a file that is replaced or not readable."""
    for path in sorted((project / FOLDER).glob("*.json")):
        with suppress(DataError, FileNotFoundError):
            yield read_given_up(path)


def event_of_given_up(
    given_up: GivenUp, path: str, context: Context, experiment: Experiment
) -> Event:
    """Return the event of a target that was given up.

    Parameters
    ----------
    given_up : GivenUp
        The target.
    path : str
        Its file, relative to the project folder.
    context : Context
        The project.
    experiment : Experiment
        Tells the slice and the illumination of a mosaic.

    Raises
    ------
    DataError
        The target is no flag.
    """
    job = job_of(given_up.target)
    unit = unit_of(given_up.target, context.name, experiment)
    if job is None or unit is None:
        raise DataError(path, found=f"target {given_up.target}", expected="a flag")
    rule = job[0]
    event_type, subject = f"{PREFIX}{level_of(rule)}.given_up", subject_of(unit)
    told_by = f"{given_up.target} {given_up.first_failed_at}"
    said = f"after {given_up.failures} attempts, exit status {given_up.status}; see {given_up.log}"
    payload = {
        "project": {"name": context.name, "subject": context.subject, "folder": context.folder},
        "unit": unit.model_dump(exclude_none=True),
        "stage": "watch",
        "rule": rule,
        "record": {
            "id": event_id(event_type, subject, told_by),
            "path": path,
            "attempt": given_up.failures,
        },
        "host": given_up.host,
        "started_at": given_up.first_failed_at,
        "ended_at": given_up.given_up_at,
        "totals": {},
        "outputs": [],
        "assets": [],
        "warnings": [],
        "error": {"kind": "given_up", "message": said},
    }
    return Event(
        id=event_id(event_type, subject, told_by),
        source=context.source,
        type=event_type,
        subject=subject,
        time=given_up.given_up_at,
        data=payload,
    )
