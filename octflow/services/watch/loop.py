"""The watcher: looks, lanes, and what is noted about them."""

import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from octflow.core.errors import OctflowError
from octflow.core.layout import job_of
from octflow.services.events.given_up import GivenUp, write_given_up
from octflow.services.watch.attempts import Attempt, Attempts
from octflow.services.watch.companions import companions_of, end_all
from octflow.services.watch.crew import STEP_S, Crew
from octflow.services.watch.hooks import Hooks
from octflow.services.watch.journal import Once, open_journal, read_status, write_status
from octflow.services.watch.lock import ProjectLock, WatchedError
from octflow.services.watch.looks import Looks
from octflow.services.watch.origins import Origins
from octflow.services.watch.targets import Inventories, Scan, Target
from octflow.workflow.alive import started_by_hand
from octflow.workflow.config import PIPELINE, Config
from octflow.workflow.lanes import LANES, Lane
from octflow.workflow.session import Session

LEAST_REST_S = 1.0
"""Changes that are told in quick succession bring no more looks than one in this time."""
FAREWELL_S = 10.0
"""Companions have so long to end, even where the lanes have taken all of the grace time."""


class Watcher:
    """Runs the lanes of one project.

    Parameters
    ----------
    config : Config
        The configuration.
    file : Path
        The file it was read from, which the Snakemake processes read too.
    lock : ProjectLock
        The lock of the project, taken.
    as_json : bool
        Log JSON lines to standard output.
    """

    def __init__(
        self, config: Config, file: Path, lock: ProjectLock, *, as_json: bool = False
    ) -> None:
        ingest = config.ingest.model_copy(update={"stable_seconds": 0.0})
        self._config = config.model_copy(update={"ingest": ingest})
        self._settings, self._lock = config.watch, lock
        self.project = PIPELINE / config.project.folder
        self.folder = self.project / "watch"
        self.log = open_journal(self.folder / "watch.jsonl", self._settings, as_json=as_json)
        self._once = Once(self.log)
        self._looks = Looks(config.ingest.stable_seconds)
        self._inventories, self._origins = Inventories(), Origins(self.project)
        self._attempts = Attempts(self._settings, now_s=time.time)
        self._crew = Crew(self.project, file.absolute(), self._settings, self._attempts, self.log)
        self._stop, self._woken = threading.Event(), threading.Event()
        self._hooks = Hooks(self._settings, self._once, self._stop)
        self._scan: Scan | None = None
        self._look_s = 0.0
        self._companions = companions_of(config, self.project, self.log, self._woken.set)

    def stop(self, *_: object) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stop.set()
        self._woken.set()

    def run(self, *, once: bool = False, retry: bool = False) -> None:
        """Watch until a signal comes, or with `once` until nothing is left to be done now.

        Raises
        ------
        WatchedError
            The project folder was away, and came back with another watcher.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        if not retry:
            self._attempts.restore(read_status(self.folder / "status.json").get("failing", {}))
        self._crew.find_again()
        for companion in self._companions:
            companion.start()
        try:
            while not self._stop.is_set():
                self._try_turn()
                if once and self._idle():
                    break
                self._rest()
        finally:
            self._end()

    def _try_turn(self) -> None:
        """Look once; a mount that hiccups, or a full disk, costs one look and not the night."""
        self._scan = None
        began_s = time.monotonic()
        self._woken.clear()
        try:
            self._turn()
            self._once.tell("this look failed", None)
        except WatchedError:
            raise
        except (OSError, OctflowError) as error:
            self._once.tell("this look failed", str(error))
        self._look_s = time.monotonic() - began_s

    def _turn(self) -> None:
        """Look once, and start what is ready."""
        self._hooks.run()
        self._lock.check()
        self._crew.reap()
        self._scan = Scan(
            Session(self._config, PIPELINE),
            *(self._looks, self._inventories, self._origins),
            self._attempts.current,
        )
        self._attempts.forget(self._scan.is_made)
        if not self._stop.is_set() and not self._held_up():
            for lane in self._settings.lanes:
                if lane not in self._crew.running and (due := self._due(lane)):
                    targets = due[: self._settings.lanes[lane].targets_per_run]
                    self._crew.start(lane, targets, anew=self._scan.anew(targets))
        self._tell()

    def _rest(self) -> None:
        """Wait until the next look: a while, or until one is worth while.

        That is when a process has ended, a batch should be complete by now, or something has
        changed in the acquisition folder.
        """
        began_s = time.monotonic()
        settles_s = self._scan.settles_in_s if self._scan else self._settings.poll_seconds
        until_s = began_s + min(self._settings.poll_seconds, settles_s)
        least_s = min(until_s, began_s + max(LEAST_REST_S, self._look_s))
        while (now_s := time.monotonic()) < until_s and not self._stop.is_set():
            if self._reaped() or (self._woken.is_set() and now_s >= least_s):
                return
            self._stop.wait(min(STEP_S, until_s - now_s))

    def _reaped(self) -> bool:
        """Tell whether processes have ended; judged later, where the project is away."""
        try:
            self._lock.check()
            return self._crew.reap()
        except OSError:
            return False

    def _idle(self) -> bool:
        """Tell whether nothing runs, is ready or may become so by itself."""
        if self._scan is None:
            return False
        ready = [target for targets in self._scan.targets.values() for target in targets]
        waits = [target for target in ready if not self._attempts.given_up(target)]
        return not (self._crew.running or waits or self._scan.settling)

    def _due(self, lane: Lane) -> list[Target]:
        return self._attempts.due(self._scan.targets[lane]) if self._scan else []

    def _held_up(self) -> bool:
        """Tell whether Snakemake was started by hand, whose locks our processes do not heed."""
        locked = started_by_hand(self.project)
        said = "another Snakemake runs in the project" if locked else None
        self._once.tell("nothing is started", said)
        return locked

    def _end(self) -> None:
        """Let what runs end within the grace time, then kill it; let companions finish."""
        until_s = time.monotonic() + self._settings.grace_s
        self._crew.end(until_s, self._is_there)
        try:
            self._lock.check()
            self._tell()
        except (OSError, OctflowError) as error:
            self._once.tell("status not written", str(error))
        end_all(self._companions, max(FAREWELL_S, until_s - time.monotonic()), self.log)
        self.log.info("watcher ended")

    def _is_there(self) -> bool:
        try:
            self._lock.check()
        except (OSError, OctflowError):
            return False
        return True

    def _tell(self) -> None:
        write_status(self.folder / "status.json", self.status())
        given_up = self._attempts.all_given_up().items()
        write_given_up(self.project, [_given_up(path, attempt) for path, attempt in given_up])

    def status(self) -> dict[str, Any]:
        """Return what the watcher knows, as JSON."""
        backlog = (
            {lane: len(found) for lane, found in self._scan.targets.items()} if self._scan else {}
        )
        return {
            "pid": os.getpid(),
            "time_s": round(time.time(), 3),
            "look_s": round(self._look_s, 3),
            "settling_batches": self._scan.settling if self._scan else 0,
            "waiting": self._scan.waiting if self._scan else [],
            "lanes": {
                lane: self._crew.status(lane, backlog.get(lane, 0)) for lane in self._settings.lanes
            },
            "failing": self._attempts.plain(),
        }


def _given_up(target: str, attempt: Attempt) -> GivenUp:
    """Say of a target what people need to know."""
    rule = (job_of(target) or ("", {}))[0]
    lane = next((lane for lane, rules in LANES.items() if rule in rules), "")
    return GivenUp(
        target=target,
        lane=lane,
        failures=attempt.failures,
        first_failed_at=_utc(attempt.first_s),
        given_up_at=_utc(attempt.last_s),
        status=attempt.status,
        log=f"watch/lane-{lane}.log",
        host=socket.gethostname(),
    )


def _utc(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
