"""A dandiset of an archive that is run with the software of DANDI, by its own client."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from octflow.core.errors import ArchiveError, DataError, OctflowError, SettingsError
from octflow.core.record import Asset
from octflow.io.digest import fast_id
from octflow.io.remote.archive import Item, Sent
from octflow.io.remote.http import bounded, discreet, log_discreetly
from octflow.io.remote.pace import Pace
from octflow.io.remote.patience import Patience, Result
from octflow.io.secret import read_secret

# The client would ask a server of its own whether it is up to date, and remember digests of files
# in the home folder of whoever runs it.
os.environ.setdefault("DANDI_NO_ET", "1")
os.environ.setdefault("DANDI_CACHE", "ignore")

try:
    import requests
    from dandi import dandiapi, exceptions, files
    from dandi.consts import DandiInstance, known_instances
    from dandi.misctypes import Digest
    from dandi.support.digests import get_dandietag, get_zarr_checksum
    from dandi.validate import Severity
except ImportError:  # pragma: no cover - the extra is not installed
    dandiapi = None

Client: TypeAlias = Any
"""An object of the client, which is not looked into when types are checked."""

Found: TypeAlias = tuple[Client, dict[str, str]]
"""An asset of the draft, and its digests by the server."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses of a server that may answer another time."""
_ETAG = "dandi:dandi-etag"
_ZARR = "dandi:dandi-zarr-checksum"


class DandiArchive:
    """Files and Zarr folders of a dandiset's draft.

    Parameters
    ----------
    instance : str
        Name, or address of the API.
    dandiset : str
        Six digits.
    key : str
        API key.
    timeout_s : float
        A server that gives no sign for so long does not answer.
    pace : Pace
        Bound for the bandwidth.
    patience : Patience
        How often what failed on its way is tried.
    """

    def __init__(
        self,
        instance: str,
        dandiset: str,
        key: str,
        *,
        timeout_s: float,
        pace: Pace,
        patience: Patience,
    ) -> None:
        self._where = f"dandiset {dandiset} of {instance}"
        self._timeout_s, self._pace, self._patience = timeout_s, pace, patience
        # The client is for one thread, and the bounds hold for all of the process.
        self._lock = threading.Lock()
        self._digests: dict[Item, str] = {}
        log_discreetly()
        self._draft = self._asked(partial(_draft_of, instance, dandiset, key))

    def digest_of(self, item: Item) -> str:
        """Return the digest by which the archive names what an item was when it was recorded."""
        if item not in self._digests:
            if item.id.startswith("xxh3:") and (found := fast_id(item.source)) != item.id:
                raise DataError(item.source, found=found, expected=f"{item.id}, as recorded")
            self._digests[item] = _digest_of(item.source)
        return self._digests[item]

    def assets(self, paths: Sequence[str]) -> dict[str, Asset]:
        """Return what the draft has under paths, with the server's own digests."""
        found = {path: self._asked(partial(self._found, path)) for path in paths}
        return {path: self._asset(one) for path, one in found.items() if one is not None}

    def send(self, items: Sequence[Item]) -> Sent:
        """Upload items: of a file its parts, of a Zarr folder the files that differ."""
        sent = Sent()
        for item in items:
            self._asked(partial(self._send, item, sent))
        return sent

    def _asked(self, work: Callable[[], Result]) -> Result:
        """Do something with the client, as often as it takes, within the bounds."""

        def once() -> Result:
            with self._lock, bounded(self._timeout_s, self._pace), _worded(self._where):
                return work()

        return self._patience.retried(once)

    def _found(self, path: str) -> Found | None:
        try:
            remote = self._draft.get_asset_by_path(path)
        except exceptions.NotFoundError:
            return None
        return remote, remote.get_raw_metadata().get("digest") or {}

    def _asset(self, found: Found) -> Asset:
        remote, digests = found
        name = _ZARR if isinstance(remote, dandiapi.RemoteZarrAsset) else _ETAG
        return Asset(
            id=remote.identifier,
            path=remote.path,
            digest=f"{name}:{digests.get(name)}",
            bytes=remote.size,
            url=self._address(remote),
        )

    def _address(self, remote: Client) -> str:
        """Return the page of an asset's folder, or its address where the archive has no pages."""
        gui = self._draft.client.dandi_instance.gui
        if gui is None:
            return str(remote.api_url)
        folder = quote(str(Path(remote.path).parent))
        return f"{gui}/dandiset/{self._draft.identifier}/draft/files?location={folder}"

    def _send(self, item: Item, sent: Sent) -> None:
        local = _local(item)
        if errors := [str(e.message) for e in local.get_validation_errors() if _is_error(e)]:
            raise DataError(item.source, found="; ".join(errors), expected="what DANDI accepts")
        found = self._found(item.path)
        value = self.digest_of(item).rpartition(":")[2]
        stated = Digest.dandi_zarr(value) if item.source.is_dir() else Digest.dandi_etag(value)
        metadata = local.get_metadata(digest=stated)
        steps = local.iter_upload(
            self._draft,
            metadata.model_dump(mode="json", exclude_none=True),
            replacing=None if found is None else found[0],
        )
        before, of_zarr = 0, item.source.is_dir()
        for step in steps:
            if step["status"] == "uploading" and (of_zarr or step["current"] == item.bytes):
                sent.add(step["current"] - before)
                before = step["current"]


def key_of(instance: str, key_env: str | None, key_file: str | None) -> str:
    """Return the API key of an instance.

    Raises
    ------
    SettingsError
        There is none.
    """
    name = "dandi" if "/" in instance else instance
    variable = key_env or f"{name.upper().replace('-', '_')}_API_KEY"
    return str(read_secret(variable, key_file))


def _draft_of(instance: str, dandiset: str, key: str) -> Client:
    if dandiapi is None:
        raise SettingsError("upload.target: found no dandi, expected octflow[dandi]")
    known = known_instances.get(instance, DandiInstance("dandi", None, instance))
    client = dandiapi.DandiAPIClient(dandi_instance=known)
    client.check_schema_version()
    client.authenticate(key)
    return client.get_dandiset(dandiset, "draft", lazy=False)


def _local(item: Item) -> Client:
    """Return an item as the client sees it, under the path it goes to."""
    kind = files.ZarrAsset if item.source.is_dir() else files.GenericAsset
    source = item.source.absolute()
    return kind(filepath=source, path=item.path, dandiset_path=None)


def _digest_of(source: Path) -> str:
    if source.is_dir():
        return f"{_ZARR}:{get_zarr_checksum(source)}"
    return f"{_ETAG}:{get_dandietag(source).as_str()}"


def _is_error(result: Client) -> bool:
    return result.severity is not None and result.severity >= Severity.ERROR


@contextmanager
def _worded(where: str) -> Iterator[None]:
    """Say what the client found in one line, without signatures, and whether it may pass."""
    try:
        yield
    except OctflowError:
        raise
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        kind = "transient" if status in _PASSING else "data"
        found = "a key it does not know" if status == 401 else f"status {status}"
        raise ArchiveError(f"{where}: found {found}: {_line(error)}", kind=kind) from None
    except (requests.RequestException, OSError) as error:
        raise ArchiveError(f"{where}: found no answer: {_line(error)}", kind="transient") from None
    except (exceptions.NotFoundError, exceptions.SchemaVersionError, ValueError) as error:
        raise ArchiveError(f"{where}: found {_line(error)}", kind="data") from None
    except RuntimeError as error:
        # The client's words for digests that differ after an upload.
        raise ArchiveError(f"{where}: found {_line(error)}", kind="transient") from None


def _line(error: BaseException) -> str:
    return discreet(f"{type(error).__name__}: {error}").splitlines()[0][:500]
