"""Stage upload, file to file: what flags list, to the archive."""

from collections.abc import Sequence
from pathlib import Path

from octflow.core.record import Outcome
from octflow.io.records import checked, read_record
from octflow.io.remote.archive import Archive, Item, upload
from octflow.stages.upload.archives import open_archive
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
    return _upload([archived], subject, settings, open_archive(settings, limits, access))


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
    return _upload([stitched], subject, settings, open_archive(settings, limits, access))


def upload_volume(
    *,
    joined: Path,
    subject: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the volumes of a mosaic.

    Parameters
    ----------
    joined : Path
        Flag of the stitched volumes.
    subject, settings, limits, access
        See `upload_batch`.
    """
    return _upload([joined], subject, settings, open_archive(settings, limits, access))


def upload_slice(
    *,
    registered: Path,
    volumes: list[Path],
    subject: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send a registered slice.

    Parameters
    ----------
    registered : Path
        Flag of the registered slice.
    volumes : list of Path
        Flag of its registered volumes; empty where they are not made.
    subject, settings, limits, access
        See `upload_batch`.
    """
    return _upload(
        [registered, *volumes], subject, settings, open_archive(settings, limits, access)
    )


def _upload(
    flags: Sequence[Path], subject: str, settings: UploadSettings, archive: Archive
) -> Outcome:
    records = [read_record(flag) for flag in flags]
    products = [product for record in records for product in record.outputs]
    paths = archive_paths(products, records[0].unit, subject, settings)
    items = [
        Item(source=checked(product), path=path, id=product.id, bytes=product.bytes)
        for product, path in zip(products, paths, strict=True)
    ]
    assets, sent = upload(archive, items)
    return Outcome(
        inputs=products,
        assets=assets,
        qc={
            "assets": len(assets),
            "asset_bytes": sum(asset.bytes for asset in assets),
            "files_sent": sent.files,
            "bytes_sent": sent.bytes,
        },
    )
