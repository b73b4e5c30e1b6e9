"""What has been sent to the archive, and what would be: from flags alone, no archive is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octflow.core.errors import SettingsError
from octflow.core.layout import flag
from octflow.core.record import Record
from octflow.io.records import read_record
from octflow.services.jobs import Expected, Job
from octflow.stages.upload.names import archive_paths
from octflow.stages.upload.settings import UploadSettings
from octflow.workflow.session import Session

State = Literal["sent", "to send", "not made yet"]

_SOURCES = {
    "upload_batch": ("archive_batch",),
    "upload_mosaic": ("stitch_enface",),
    "upload_volume": ("join_volumes",),
    "upload_slice": ("register_slice", "register_volumes"),
}
"""Rules whose products an upload sends."""


@dataclass(frozen=True)
class File:
    """A product, and where it is in the archive or goes to."""

    path: str
    bytes: int


@dataclass(frozen=True)
class Upload:
    """One upload of those expected."""

    job: str
    """Rule and part of the sample."""
    state: State
    """sent: all is in the archive as it is now; to send: products are made, or made anew since."""
    files: tuple[File, ...]
    """Of what is to be sent those that are made; files that describe them are added."""

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


def peek_uploads(session: Session) -> Iterator[Upload]:
    """Yield all uploads that the configuration asks for; nothing is locked, nothing sent.

    Raises
    ------
    SettingsError
        No archive is named.
    """
    if session.config.upload.target is None:
        raise SettingsError("upload.target: found nothing, expected an archive")
    settings = UploadSettings.model_validate(session.upload_settings)
    for job in _jobs(Expected(session)):
        yield _upload(session, job, settings)


def _jobs(expected: Expected) -> Iterator[Job]:
    """Yield the uploads in the order of the sample."""
    experiment = expected.experiment
    found = list(expected.of_project())
    for slice_id in expected.slices:
        for mosaic in experiment.mosaics_of(slice_id):
            for batch in experiment.batches_of(mosaic):
                found += expected.of_batch(mosaic, batch)
            found += expected.of_mosaic(mosaic)
        found += expected.of_slice(slice_id)
    return (job for job in found if job.rule.startswith("upload_"))


def _upload(session: Session, job: Job, settings: UploadSettings) -> Upload:
    sources = [_record(session.project / path) for path in _sources(session, job)]
    made = [record for record in sources if record is not None]
    if not made or len(made) < len(sources):
        return Upload(job.name, "not made yet", ())
    sent = _record(session.project / job.flag)
    if sent is not None and _is_of(sent, made):
        return Upload(job.name, "sent", tuple(File(a.path, a.bytes) for a in sent.assets))
    return Upload(job.name, "to send", tuple(_files(session, made, settings)))


def _sources(session: Session, job: Job) -> list[Path]:
    if job.rule == "upload_dataset":
        return [flag("start_slice", slice=int(name)) for name in session.described]
    ids = job.unit.model_dump(exclude_none=True, exclude={"project"})
    section = session.config.register_
    volumes = bool(section.volumes or section.inclination)
    rules = [rule for rule in _SOURCES[job.rule] if rule != "register_volumes" or volumes]
    return [flag(rule, **ids) for rule in rules]


def _is_of(sent: Record, sources: list[Record]) -> bool:
    """Tell whether an upload was made from these very records."""
    read = {one.id for one in sent.inputs if one.role == "record"}
    return read == {record.record_id for record in sources}


def _files(session: Session, sources: list[Record], settings: UploadSettings) -> Iterator[File]:
    products = [one for record in sources for one in record.outputs]
    subject = session.config.project.subject
    paths = archive_paths(products, sources[0].unit, subject, settings)
    for one, path in zip(products, paths, strict=True):
        yield File(path, one.bytes)


def _record(path: Path) -> Record | None:
    try:
        return read_record(path)
    except FileNotFoundError:
        return None
