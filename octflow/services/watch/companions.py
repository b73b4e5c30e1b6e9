"""What runs beside the lanes, in threads that may be slow, hang or fail and delay no job."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from octflow.services.events.service import DeliveredError, Events, follow
from octflow.services.watch.hints import listening, notified
from octflow.services.watch.lock import see_lock
from octflow.workflow.config import PIPELINE, Config
from octflow.workflow.session import Session

Work = Callable[[threading.Event], None]
"""Goes on until the event is set; then does what is left, and returns."""


class Companion:
    """A thread that does some work until the watcher ends.

    Work that fails is begun again after a while, for ever; the same failure is told once.

    Parameters
    ----------
    name : str
        What it is called in the log.
    work : Work
        What it does.
    log : Logger
        Log of the watcher.
    first_wait_s, longest_wait_s : float
        Wait after a failure; it doubles from one to the next, up to the longest.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        log: logging.Logger,
        *,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 300.0,
    ) -> None:
        self.name, self._work, self._log = name, work, log
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._stopped = threading.Event()
        self._wait_s, self._said = first_wait_s, ""
        # One that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to do what is left, and to end."""
        self._stopped.set()

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._ends():
            self._stopped.wait(self._wait_s)
            self._wait_s = min(2 * self._wait_s, self._longest_wait_s)

    def _ends(self) -> bool:
        """Work; tell whether that was the end: it was asked for, and this was the last try."""
        last, began_s = self._stopped.is_set(), time.monotonic()
        try:
            self._work(self._stopped)
        except Exception as error:  # noqa: BLE001 - no listener or page may end the watcher
            if time.monotonic() - began_s > self._longest_wait_s:  # It had recovered.
                self._wait_s, self._said = self._first_wait_s, ""
            self._tell(f"{type(error).__name__}: {error}")
            return last
        return True

    def _tell(self, said: str) -> None:
        if said != self._said:
            self._log.warning("%s: %s; tried again until it succeeds", self.name, said)
        self._said = said


def companions_of(
    config: Config, project: Path, log: logging.Logger, changed: Callable[[], None]
) -> list[Companion]:
    """Return the companions that a configuration asks for, not started.

    Parameters
    ----------
    config : Config
        The configuration.
    project : Path
        Project folder.
    log : Logger
        Log of the watcher.
    changed : callable
        Called when something has changed in the acquisition folder.
    """
    companions = []
    raw = PIPELINE / config.acquisition.folder
    if notified(raw, config.watch.notify):
        companions.append(Companion("change notification", listening(raw, changed), log))
    if any(listener.enabled for listener in config.events.listeners):
        companions.append(Companion("events", delivery(config, project, log), log))
    if (every_s := config.watch.pages_every_s) is not None:
        companions.append(Companion("pages", writing(config, project, every_s), log))
    return companions


def end_all(companions: list[Companion], seconds: float, log: logging.Logger) -> None:
    """Have all do what is left, side by side; leave those that take longer."""
    until_s = time.monotonic() + seconds
    for companion in companions:
        companion.stop()
    for companion in companions:
        if not companion.ends_within(until_s - time.monotonic()):
            log.warning("%s: has not ended in time and is left", companion.name)


def delivery(config: Config, project: Path, log: logging.Logger) -> Work:
    """Return the delivery of events: until another process that does so has ended, nothing."""
    told = False

    def deliver(stopped: threading.Event) -> None:
        nonlocal told
        while True:
            try:
                see_lock(project)
                with Events(config, project) as events:
                    follow(events, stopped)
                    if left := events.finish():
                        log.warning("events: %d deliveries are left for the next run", left)
                    return
            except DeliveredError:
                if not told:
                    log.info("events: another process delivers them")
                told = True
            if stopped.wait(config.events.poll_seconds):
                return

    return deliver


def writing(config: Config, project: Path, every_s: float) -> Work:
    """Return the writing of the pages: at once, after every so many seconds, and at the end."""

    def write(stopped: threading.Event) -> None:
        from octflow.services.pages import write_pages  # Not before the lanes have begun.

        while True:
            last = stopped.is_set()
            see_lock(project)
            write_pages(Session(config, PIPELINE), every_s=every_s)
            if last:
                return
            stopped.wait(every_s)

    return write
