"""Stage upload, file to file: what flags list, to the archive."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from octflow.core.errors import DataError
from octflow.core.record import Outcome, Product
from octflow.io.records import checked, read_record
from octflow.io.remote.archive import Archive, Item, upload
from octflow.stages.upload.archives import open_archive
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings


def upload_batch(
    *,
    archived: Path,
    project: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the archived raw tiles of a batch.

    Parameters
    ----------
    archived : Path
        Flag of the archived batch.
    project : str
        Name of the project, under which the archive keeps its products.
    settings : UploadSettings
        The archive.
    limits : UploadLimits
        How fast, and how often where it fails.
    access : UploadAccess
        Where the key is.
    """
    return _upload([archived], project, open_archive(settings, limits, access))


def upload_mosaic(
    *,
    stitched: Path,
    project: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the maps of a mosaic.

    Parameters
    ----------
    stitched : Path
        Flag of the stitched mosaic.
    project, settings, limits, access
        See `upload_batch`.
    """
    return _upload([stitched], project, open_archive(settings, limits, access))


def upload_volume(
    *,
    joined: Path,
    project: str,
    settings: UploadSettings,
    limits: UploadLimits,
    access: UploadAccess,
) -> Outcome:
    """Send the volumes of a mosaic.

    Parameters
    ----------
    joined : Path
        Flag of the stitched volumes.
    project, settings, limits, access
        See `upload_batch`.
    """
    return _upload([joined], project, open_archive(settings, limits, access))


def upload_slice(
    *,
    registered: Path,
    volumes: list[Path],
    project: str,
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
    project, settings, limits, access
        See `upload_batch`.
    """
    return _upload([registered, *volumes], project, open_archive(settings, limits, access))


def _upload(flags: Sequence[Path], project: str, archive: Archive) -> Outcome:
    products = [product for flag in flags for product in read_record(flag).outputs]
    items = [_item(product, project) for product in products]
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


def _item(product: Product, project: str) -> Item:
    place = PurePosixPath(product.path)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(product.path, found="a path out of the project", expected="one inside")
    path = str(PurePosixPath(project) / place)
    return Item(source=checked(product), path=path, id=product.id, bytes=product.bytes)
