"""The files that describe a dataset of BIDS: written, and checked with what they describe."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from octflow.core.bids import sidecar_path
from octflow.core.errors import DataError
from octflow.core.record import Record
from octflow.io.atomic import replacing
from octflow.io.bids_validator import bids_findings, told
from octflow.io.omezarr import read_volume_voxel_size_mm
from octflow.io.records import product
from octflow.io.remote.archive import Item
from octflow.stages.upload.dataset import dataset_texts, sidecar_text
from octflow.stages.upload.settings import UploadSettings


def write_dataset(
    records: Sequence[Record], subject: str, folder: Path, settings: UploadSettings
) -> list[Item]:
    """Write the files of the whole dataset.

    Parameters
    ----------
    records : sequence of Record
        Of the slices that have begun.
    subject : str
        BIDS subject label.
    folder : Path
        Where the files go, under their paths in the archive.
    settings : UploadSettings
        What they say.
    """
    texts = _texts(records, subject, settings)
    return [_write(folder, path, text) for path, text in texts.items()]


def write_sidecars(
    record: Record,
    paths: Iterable[str],
    folder: Path,
    settings: UploadSettings,
    *,
    project: Path = Path(),
) -> list[Item]:
    """Write a sidecar of every volume among the outputs of a record.

    Parameters
    ----------
    record : Record
        Of the job that made the volumes.
    paths : iterable of str
        Paths of its outputs in the archive.
    folder, settings
        See `write_dataset`.
    project : Path
        Project folder.
    """
    items = []
    for volume, path in zip(record.outputs, paths, strict=True):
        if beside := sidecar_path(path):
            size_mm = read_volume_voxel_size_mm(project / volume.path)
            items.append(
                _write(folder, beside, sidecar_text(size_mm, record.code, settings.dataset))
            )
    return items


def check_dataset(
    items: Sequence[Item], records: Sequence[Record], subject: str, settings: UploadSettings
) -> None:
    """Hold what would be sent against BIDS, as a dataset of its own made of links.

    Raises
    ------
    DataError
        The validator found errors; they are named.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in _texts(records, subject, settings).items():
            (folder / path).write_text(text)
        for item in items:
            (folder / item.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / item.path).symlink_to(item.source.absolute())
        findings = bids_findings(folder)
    if findings:
        raise DataError("dataset", found=told(findings), expected="what BIDS allows: nothing sent")


def _texts(records: Sequence[Record], subject: str, settings: UploadSettings) -> dict[str, str]:
    return dataset_texts(
        records[0].unit.project,
        subject,
        sorted({record.unit.slice for record in records if record.unit.slice is not None}),
        [record.code for record in records],
        settings.raw_name,
        settings.dataset,
    )


def _write(folder: Path, path: str, text: str) -> Item:
    source = folder / path
    if not source.exists() or source.read_text() != text:
        with replacing(source) as part:
            part.write_text(text)
    written = product(source, "description")
    return Item(source=source, path=path, id=written.id, bytes=written.bytes)
