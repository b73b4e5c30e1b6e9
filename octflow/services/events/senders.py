"""How an event reaches a listener: a command or a webhook."""

import hashlib
import hmac
import http.client
import os
import subprocess
import urllib.error
import urllib.request
from datetime import datetime
from email.message import Message
from typing import IO, Protocol

from octflow.core.errors import OctflowError
from octflow.io.secret import read_secret
from octflow.services.events.catalogue import Event
from octflow.workflow.listeners import CommandListener, WebhookListener


class DeliveryError(OctflowError):
    """A listener did not take an event; it is tried again.

    Parameters
    ----------
    message : str
        What happened. It never holds an address or a secret.
    wait_s : float
        Time the listener asked to be left alone.
    """

    kind = "transient"

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Sender(Protocol):
    """What delivers events to one listener."""

    def wants(self, event: Event) -> bool:
        """Say whether the listener is told of an event at all."""

    def holds(self, event: Event, now: datetime) -> bool:
        """Say whether an event has to wait, as during quiet hours."""

    def send(self, event: Event) -> None:
        """Deliver an event; raise DeliveryError where it was not taken."""


class _Prompt:
    """A listener that is told of everything at once."""

    def wants(self, event: Event) -> bool:
        return True

    def holds(self, event: Event, now: datetime) -> bool:
        return False


class CommandSender(_Prompt):
    """Start a program for every event; its exit status 0 acknowledges it."""

    def __init__(self, listener: CommandListener) -> None:
        self.listener = listener

    def send(self, event: Event) -> None:
        """Run the program with the event on its standard input."""
        facts = {"ID": event.id, "TYPE": event.type, "SUBJECT": event.subject}
        told = {f"OCTFLOW_EVENT_{key}": value for key, value in facts.items()}
        try:
            done = subprocess.run(
                self.listener.command,
                input=event.body() + b"\n",
                env={**os.environ, **self.listener.environment, **told},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self.listener.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeliveryError(f"no end after {self.listener.timeout_s:g} s") from None
        except OSError as error:
            raise DeliveryError(f"cannot be started: {error.strerror}") from error
        if done.returncode:
            raise DeliveryError(f"exit status {done.returncode}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without the event."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None


class WebhookSender(_Prompt):
    """Post every event; any status of 200 to 299 acknowledges it."""

    def __init__(self, listener: WebhookListener) -> None:
        self.listener = listener
        self._secret = read_secret(listener.secret_env, listener.secret_file)
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, event: Event) -> None:
        """Post the event, signed where there is a secret."""
        body = event.body()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=UTF-8",
            "User-Agent": "octflow",
            "Idempotency-Key": event.id,
        }
        if self._secret:
            headers["X-Octflow-Signature-256"] = signature_of(body, self._secret)
        request = urllib.request.Request(self.listener.url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.listener.timeout_s) as reply:
                reply.read(1 << 16)
        except urllib.error.HTTPError as error:
            error.close()
            wait_s = seconds_of(error.headers.get("Retry-After"))
            raise DeliveryError(f"status {error.code}", wait_s) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise DeliveryError(f"no reply: {reason}") from None


def signature_of(body: bytes, secret: str) -> str:
    """Return the signature of a delivery: HMAC with SHA-256 (RFC 2104), as `sha256=<hex>`.

    Examples
    --------
    >>> signature_of(b"what do ya want for nothing?", "Jefe")[:23]
    'sha256=5bdcc146bf60754e'
    """
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def seconds_of(retry_after: str | None) -> float:
    """Return the seconds of a header Retry-After, at most an hour; 0 where it says none."""
    return min(3600.0, float(retry_after)) if retry_after and retry_after.isdigit() else 0.0
