"""Stage upload, file to file: what flags list, to the archive."""

from collections.abc import Sequence
from pathlib import Path

from octflow.core.record import Outcome, Record
from octflow.io.records import checked, product, read_record
from octflow.io.remote.archive import Archive, Item, upload
from octflow.stages.upload.archives import open_archive
from octflow.stages.upload.describe import check_dataset, write_dataset, write_sidecars
from octflow.stages.upload.names import archive_paths
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings


def upload_batch(
    *,
    archived: Path,
    subject: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the archived raw tiles of a batch.

    Parameters
    ----------
    archived : Path
        Flag of the archived batch.
    subject : str
        BIDS subject label.
    settings : UploadSettings
        The archive.
    limits : UploadLimits
        How fast, and how often where it fails.
    access : UploadAccess
        Where the key is.
    """
    records = [read_record(archived)]
    items = _listed(records, subject, settings)
    return _sent(open_archive(settings, limits, access), items, records)


def upload_mosaic(
    *,
    stitched: Path,
    subject: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the maps of a mosaic.

    Parameters
    ----------
    stitched : Path
        Flag of the stitched mosaic.
    subject, settings, limits, access
        See `upload_batch`.
    """
    records = [read_record(stitched)]
    items = _listed(records, subject, settings)
    return _sent(open_archive(settings, limits, access), items, records)


def upload_volume(
    *,
    joined: Path,
    subject: str,
    folder: Path,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
    validate: bool,
) -> Outcome:
    """Send the volumes of a mosaic.

    Parameters
    ----------
    joined : Path
        Flag of the stitched volumes.
    folder : Path
        Where their sidecars are written, with names of BIDS.
    validate : bool
        Whether the validator of BIDS is asked first.
    subject, settings, limits, access
        See `upload_batch`.
    """
    records = [read_record(joined)]
    items = _volumes(records, subject, folder, settings, validate=validate)
    return _sent(open_archive(settings, limits, access), items, records)


def upload_slice(
    *,
    registered: Path,
    volumes: list[Path],
    subject: str,
    folder: Path,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
    validate: bool,
) -> Outcome:
    """Send a registered slice.

    Parameters
    ----------
    registered : Path
        Flag of the registered slice.
    volumes : list of Path
        Flag of its registered volumes; empty where they are not made.
    folder, validate
        See `upload_volume`.
    subject, settings, limits, access
        See `upload_batch`.
    """
    records = [read_record(flag) for flag in (registered, *volumes)]
    items = _volumes(records, subject, folder, settings, validate=validate)
    return _sent(open_archive(settings, limits, access), items, records)


def upload_dataset(
    *,
    started: list[Path],
    subject: str,
    folder: Path,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the files that describe a dataset of BIDS as a whole.

    Parameters
    ----------
    started : list of Path
        Flags of the slices that have begun.
    folder : Path
        Where the files are written.
    subject, settings, limits, access
        See `upload_batch`.
    """
    records = [read_record(flag) for flag in started]
    items = write_dataset(records, subject, folder, settings)
    return _sent(open_archive(settings, limits, access), items, records)


def _volumes(
    records: Sequence[Record],
    subject: str,
    folder: Path,
    settings: UploadSettings,
    *,
    validate: bool,
) -> list[Item]:
    """Return what flags list and, with names of BIDS, the sidecars of volumes among it."""
    items, sidecars = _listed(records, subject, settings), []
    if settings.names == "bids":
        for record in records:
            paths = archive_paths(record.outputs, records[0].unit, subject, settings)
            sidecars += write_sidecars(record, paths, folder, settings)
    if validate and sidecars:
        check_dataset([*items, *sidecars], records, subject, settings)
    return [*items, *sidecars]


def _listed(records: Sequence[Record], subject: str, settings: UploadSettings) -> list[Item]:
    products = [one for record in records for one in record.outputs]
    paths = archive_paths(products, records[0].unit, subject, settings)
    return [
        Item(source=checked(one), path=path, id=one.id, bytes=one.bytes)
        for one, path in zip(products, paths, strict=True)
    ]


def _sent(archive: Archive, items: Sequence[Item], records: Sequence[Record]) -> Outcome:
    """Send items; those that no record lists were written here."""
    listed = [one for record in records for one in record.outputs]
    told = {one.path for one in listed}
    written = [item for item in items if str(item.source) not in told]
    assets, sent = upload(archive, items)
    return Outcome(
        inputs=listed,
        outputs=[product(item.source, "description") for item in written],
        assets=assets,
        qc={
            "assets": len(assets),
            "asset_bytes": sum(asset.bytes for asset in assets),
            "files_sent": sent.files,
            "bytes_sent": sent.bytes,
        },
    )
