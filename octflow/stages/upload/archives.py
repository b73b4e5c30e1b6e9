"""Which archive the settings mean."""

from pathlib import Path

from octflow.core.errors import SettingsError
from octflow.io.remote.archive import Archive
from octflow.io.remote.folder import FolderArchive
from octflow.io.remote.pace import Pace
from octflow.io.remote.patience import Patience
from octflow.stages.upload.settings import (
    FolderTarget,
    UploadAccess,
    UploadLimits,
    UploadSettings,
)


def open_archive(settings: UploadSettings, limits: UploadLimits, access: UploadAccess) -> Archive:
    """Return the archive that settings name.

    Raises
    ------
    ArchiveError
        It cannot be reached, or does not let us in.
    SettingsError
        None is named, or there is no key.
    """
    target, rate = settings.target, limits.megabytes_per_s
    pace = Pace(None if rate is None else rate * 1e6)
    if target is None:
        raise SettingsError("upload.target: found nothing, expected an archive")
    if isinstance(target, FolderTarget):
        mount = None if target.mount is None else Path(target.mount)
        return FolderArchive(Path(target.folder), mount=mount, pace=pace)
    # The client takes seconds to be imported, and may be missing where it is not asked for.
    from octflow.io.remote.dandi import DandiArchive, key_of

    return DandiArchive(
        target.instance,
        target.dandiset,
        key_of(target.instance, access.key_env, access.key_file),
        timeout_s=limits.timeout_s,
        pace=pace,
        patience=Patience(limits.attempts, limits.first_wait_s, limits.longest_wait_s),
    )
