"""What a client that talks HTTP by the library requests must keep to."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from requests.adapters import HTTPAdapter

from octflow.io.remote.pace import Pace

STALL_S = 3600.0
"""So long a client may ask without sending anything: it waits for what will not come."""

_SIGNATURE = re.compile(r"\?[^\s?'\"]*=[^\s'\"]*")
_CLIENTS = {"dandi", "requests", "urllib3"}
_SENDING = {"PUT", "POST"}


def discreet(words: str) -> str:
    """Return words without the signatures of addresses, which are as good as keys.

    Examples
    --------
    >>> discreet("Error 503 for http://s3.lab/blob?X-Amz-Signature=12ab: busy")
    'Error 503 for http://s3.lab/blob?... busy'
    """
    return _SIGNATURE.sub("?...", words)


class Discreet(logging.Filter):
    """Keeps signatures of addresses out of the log of clients."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a message before it is written."""
        if record.name.split(".", 1)[0] not in _CLIENTS:
            return True
        record.msg, record.args = discreet(record.getMessage()), None
        if record.exc_info:
            # The text of an exception has addresses too; the one that is raised says it all.
            record.exc_info = None
        return True


def log_discreetly() -> None:
    """Keep signatures out of the log of this process."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, Discreet) for known in handler.filters):
            handler.addFilter(Discreet())


@contextmanager
def bounded(timeout_s: float, pace: Pace) -> Iterator[None]:
    """Bound all requests of this process meanwhile, whoever makes them.

    Clients that set no timeout wait for ever for a server that hangs.

    Parameters
    ----------
    timeout_s : float
        Longest time without a sign of the server.
    pace : Pace
        Bound for what is sent.
    """
    plain = HTTPAdapter.send
    last_s = time.monotonic()

    def send(
        self: HTTPAdapter, request: requests.PreparedRequest, **named: object
    ) -> requests.Response:
        nonlocal last_s
        if request.method in _SENDING:
            pace.pass_on(int(request.headers.get("Content-Length") or 0))
        elif time.monotonic() - last_s > STALL_S:
            raise requests.Timeout(f"nothing new in {STALL_S:.0f} s", request=request)
        response = plain(self, request, **{**named, "timeout": timeout_s})
        if request.method in _SENDING and response.ok:
            last_s = time.monotonic()
        return response

    HTTPAdapter.send = send
    try:
        yield
    finally:
        HTTPAdapter.send = plain
