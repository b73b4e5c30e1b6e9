"""Find events and deliver them: what `octflow events` and the watcher call."""

import fcntl
import logging
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from octflow.core.errors import DataError
from octflow.services.events.catalogue import Context
from octflow.services.events.courier import Courier
from octflow.services.events.journal import Journal
from octflow.services.events.scan import FOLDER, EventLog
from octflow.services.events.senders import CommandSender, Sender, WebhookSender
from octflow.workflow.config import Config
from octflow.workflow.listeners import AnyListener, CommandListener, WebhookListener

log = logging.getLogger(__name__)


class DeliveredError(DataError):
    """Another process delivers the events of the project."""


class Events:
    """The events of a project and the couriers of its listeners.

    Used in a `with` statement, which takes the lock: one process at a time delivers.

    Parameters
    ----------
    config : Config
        Configuration.
    project : Path
        Project folder.

    Raises
    ------
    DataError
        There is no such folder.
    DeliveredError
        Another process delivers the events of the project.
    """

    def __init__(self, config: Config, project: Path) -> None:
        self.settings = config.events
        self.project = project.absolute()
        self._config = config
        self._offered = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        enabled = [listener for listener in self.settings.listeners if listener.enabled]
        if not self.project.is_dir():
            raise DataError(self.project, found="no folder", expected="a project")
        senders = [(listener, sender_of(listener)) for listener in enabled]
        self._lock = _locked(self.project / FOLDER / "lock")
        named = self._config.project
        context = Context(named.name, named.subject, str(self.project))
        self._log = EventLog(self.project, context, self._config.experiment)
        self._couriers = [
            Courier(listener, sender, Journal(self.project / FOLDER / f"{listener.name}.taken"))
            for listener, sender in senders
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        os.close(self._lock)

    def scan(self) -> int:
        """Look for events and queue them; return how many are new since the last call.

        The first call counts those of former runs, which some listener may not have taken.
        """
        self._log.scan()
        found = self._log.events[self._offered :]
        for courier in self._couriers:
            courier.offer(found)
        self._offered += len(found)
        return len(found)

    def deliver(self) -> int:
        """Deliver what is queued, side by side; return how many deliveries are left.

        Left are those that failed `attempts` times, those behind them, and those held back by
        quiet hours; the next run goes on with them.
        """
        self._run(self.settings.attempts)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        return self.left

    @property
    def left(self) -> int:
        """Deliveries that are queued, over all listeners."""
        return sum(courier.left for courier in self._couriers)

    def finish(self) -> int:
        """Look once more and try what was not tried yet; return how many deliveries are left.

        Deliveries under way and new ones are waited for, each at most for its listener's time.
        """
        self.scan()
        for courier in self._couriers:
            courier.finish()
        for thread in self._threads:
            thread.join()
        return self.left

    def start(self) -> None:
        """Deliver in the background until `stop`; returns at once."""
        self._run(None)

    def stop(self) -> None:
        """End after the deliveries under way; what is queued is delivered by the next run."""
        for courier in self._couriers:
            courier.stop()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, attempts: int | None) -> None:
        for courier in self._couriers:
            name = f"events-{courier.listener.name}"
            thread = threading.Thread(target=courier.run, args=(attempts,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)


def follow(events: Events, stopped: threading.Event) -> None:
    """Scan and deliver until `stopped` is set.

    A look that fails, as of a network mount that is away, is told and repeated.
    """
    events.start()
    while not stopped.is_set():
        try:
            if count := events.scan():
                log.info("%d events", count)
        except OSError as error:
            log.warning("no look at the flags: %s", error)
        stopped.wait(events.settings.poll_seconds)


def sender_of(listener: AnyListener) -> Sender:
    """Return what delivers to a listener; its secret is read here, once."""
    if isinstance(listener, CommandListener):
        return CommandSender(listener)
    if isinstance(listener, WebhookListener):
        return WebhookSender(listener)
    from octflow.services.events.slack import SlackSender

    return SlackSender(listener)


def _locked(path: Path) -> int:
    """Take the lock, which dies with its process; POSIX locks work over network mounts too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        found = "another process that delivers the events of this project"
        raise DeliveredError(path, found=found, expected="one at a time") from None
    return descriptor
