"""Check again what archives hold, against the flags of the uploads."""

import threading
from collections.abc import Iterator
from functools import partial

from octflow.core.errors import DataError
from octflow.core.record import Asset, Record
from octflow.io.remote.archive import Archive
from octflow.stages.upload.archives import open_archive
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings

Line = tuple[Asset, "partial[None]"]
"""An asset, and what raises DataError where the archive does not hold it as its flag says."""


class Uploads:
    """The archives of a project's uploads, each opened when something is first asked of it."""

    def __init__(self) -> None:
        self._archives: dict[str, Archive] = {}
        self._lock = threading.Lock()

    def checks(self, record: Record) -> Iterator[Line]:
        """Yield what is to be checked of one upload; nothing is asked yet."""
        for asset in record.assets:
            yield asset, partial(self._check, record, asset)

    def _check(self, record: Record, asset: Asset) -> None:
        there = self._archive(record).assets([asset.path]).get(asset.path)
        where = f"{asset.path} in the archive"
        if there is None:
            raise DataError(where, found="nothing", expected=asset.digest)
        if there.digest != asset.digest:
            raise DataError(where, found=there.digest, expected=asset.digest)

    def _archive(self, record: Record) -> Archive:
        settings = UploadSettings.model_validate(record.parameters["settings"])
        access = UploadAccess.model_validate(record.parameters["access"])
        limits = UploadLimits.model_validate(record.parameters["limits"])
        key = f"{settings} {access}"
        with self._lock:
            if key not in self._archives:
                self._archives[key] = open_archive(settings, limits, access)
            return self._archives[key]
