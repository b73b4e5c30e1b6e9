"""Deliver events to one listener: in order per subject, again after failures, never lost."""

import fnmatch
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from octflow.services.events.catalogue import Event
from octflow.services.events.journal import Journal
from octflow.services.events.senders import DeliveryError, Sender
from octflow.workflow.listeners import Listener

log = logging.getLogger(__name__)


@dataclass
class _Waiting:
    event: Event
    attempts: int = 0
    due_s: float = 0.0
    is_sent: bool = False
    """The listener has taken it, and the journal has not: of a full disk."""
    said: str = ""
    """Why it was not taken, as the log has it: a listener that is away for days says it once."""


class Courier:
    """The queue of one listener and the journal of what it has taken.

    Parameters
    ----------
    listener : Listener
        Its settings.
    sender : Sender
        What delivers an event.
    journal : Journal
        What was taken; a line is written after the listener said so.
    """

    def __init__(self, listener: Listener, sender: Sender, journal: Journal) -> None:
        self.listener = listener
        self.sender = sender
        self._journal = journal
        self._taken = {line["id"] for line in journal.read()}
        self._waiting: dict[str, _Waiting] = {}
        self._changed = threading.Condition()
        self._stopping = self._finishing = False

    def offer(self, events: list[Event]) -> None:
        """Queue what the listener is to be told and has not taken."""
        with self._changed:
            for event in events:
                if event.id not in self._taken and self._asked_for(event):
                    self._waiting.setdefault(event.id, _Waiting(event))
            self._changed.notify()

    @property
    def left(self) -> int:
        """Events that are not taken."""
        with self._changed:
            return len(self._waiting)

    def stop(self) -> None:
        """End `run` after the delivery under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def finish(self) -> None:
        """End `run` once everything was tried; what failed waits for the next run."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def run(self, attempts: int | None = None) -> None:
        """Deliver, until stopped or, where `attempts` is given, until nothing can be done.

        Parameters
        ----------
        attempts : int, optional
            Deliveries of an event that are tried; it then waits for the next run.
        """
        with self._changed:
            for former in self._waiting.values():
                former.attempts, former.due_s = 0, 0.0
        while not self._stopping:
            with self._changed:
                limit = 1 if self._finishing else attempts
                waiting, wait_s = self._next(limit)
                if waiting is None:
                    if limit is not None and wait_s is None:
                        return
                    self._changed.wait(min(60.0, 60.0 if wait_s is None else wait_s))
                    continue
            self._deliver(waiting)

    def _next(self, attempts: int | None) -> tuple[_Waiting | None, float | None]:
        """Return what is due, or how long until something is; None: nothing ever is."""
        now_s, now = time.monotonic(), datetime.now(UTC)
        behind: set[str] = set()
        soonest = None
        for waiting in self._waiting.values():
            subject = waiting.event.subject
            if subject in behind:
                continue
            behind.add(subject)
            tired = attempts is not None and waiting.attempts >= attempts
            if tired or self.sender.holds(waiting.event, now):
                continue
            wait_s = waiting.due_s - now_s
            if wait_s <= 0:
                return waiting, 0.0
            soonest = wait_s if soonest is None else min(soonest, wait_s)
        return None, soonest

    def _deliver(self, waiting: _Waiting) -> None:
        event = waiting.event
        try:
            if not waiting.is_sent:
                self.sender.send(event)
            waiting.is_sent = True
            self._journal.append({"id": event.id, "at": datetime.now(UTC).isoformat()})
        except (DeliveryError, OSError) as error:
            asked_s = error.wait_s if isinstance(error, DeliveryError) else 0.0
            self._wait(waiting, str(error), asked_s)
        except Exception as error:  # noqa: BLE001 - of a library: all that come later wait behind it
            self._wait(waiting, type(error).__name__)  # Its words may hold a secret.
        else:
            with self._changed:
                self._taken.add(event.id)
                del self._waiting[event.id]

    def _wait(self, waiting: _Waiting, said: str, asked_s: float = 0.0) -> None:
        """Note why an event was not taken, and when it is tried again."""
        event = waiting.event
        waiting.attempts += 1
        wait_s = max(asked_s, self.listener.wait_s(waiting.attempts))
        waiting.due_s = time.monotonic() + wait_s
        if waiting.said != said:
            log.warning(
                "listener %s: %s of %s not taken: %s; attempt %d, next in %.3g s",
                *(self.listener.name, event.type, event.subject, said),
                *(waiting.attempts, wait_s),
            )
        waiting.said = said

    def _asked_for(self, event: Event) -> bool:
        named = any(fnmatch.fnmatchcase(event.type, pattern) for pattern in self.listener.types)
        return named and self.sender.wants(event)
