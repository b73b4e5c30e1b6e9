"""The Snakemake processes of a watcher: one for each lane that works."""

import contextlib
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from octflow.services.slots import shared_folder, take_slots
from octflow.services.watch import child as children
from octflow.services.watch.attempts import Attempts
from octflow.services.watch.child import Child
from octflow.services.watch.journal import set_aside
from octflow.services.watch.targets import Target, written_ns
from octflow.workflow.config import PIPELINE
from octflow.workflow.lanes import LANES, Lane, WatchSettings

STEP_S = 0.2
"""Time between two looks at the processes."""
_KILLED_S = 10.0
"""A process that was killed ends within this time, unless it hangs in the kernel."""


class Crew:
    """Starts lanes, notes what became of them, ends them.

    Parameters
    ----------
    project : Path
        Project folder.
    file : Path
        Configuration file.
    settings : WatchSettings
        How lanes run.
    attempts : Attempts
        Where success and failure are noted.
    log : Logger
        Log of the watcher.
    """

    def __init__(
        self,
        project: Path,
        file: Path,
        settings: WatchSettings,
        attempts: Attempts,
        log: logging.Logger,
    ) -> None:
        self.project, self._file, self._settings = project, file, settings
        self._folder = project / "watch"
        self.cores_folder = shared_folder("cores")
        self._attempts, self._log = attempts, log
        self.running: dict[Lane, Child] = {}
        self._made: Counter[str] = Counter()
        self._ending = False

    def find_again(self) -> None:
        """Take over the processes that a killed watcher left; judge those that ended since."""
        for lane in LANES:
            if (found := children.find(self._folder / f"lane-{lane}.json")) is not None:
                self.running[lane] = found
                self._say("lane found again", lane, runs=found.runs())

    def start(self, lane: Lane, targets: list[Target], *, anew: Sequence[str] = ()) -> None:
        """Start the Snakemake process of a lane, if the host has a core for it.

        It makes the flags `anew` in any case.
        """
        cores, slots = self._settings.lanes[lane].cores, []
        host_cores = self._settings.host_cores
        if host_cores is not None and lane != "upload":  # Uploads wait more than they compute.
            slots = take_slots(self.cores_folder, cores, host_cores)
            cores = len(slots)
        try:
            if cores:
                words = self.command(lane, targets, cores)
                forced = ["--forcerun", *anew] if anew else []
                self._start(lane, targets, [*words, *forced], slots)
                named = [target.path for target in targets]
                self._say("lane started", lane, cores=cores, targets=named)
        finally:
            for slot in slots:
                os.close(slot)

    def _start(self, lane: Lane, targets: list[Target], words: list[str], slots: list[int]) -> None:
        log = self._folder / f"lane-{lane}.log"
        set_aside(log, self._settings)
        self.running[lane] = children.start(
            words,
            PIPELINE,
            note=self._folder / f"lane-{lane}.json",
            log=log,
            targets=targets,
            made_ns=[written_ns(self.project / target.path) for target in targets],
            slots=slots,
        )

    def command(self, lane: Lane, targets: list[Target], cores: int) -> list[str]:
        """Return the words that start a lane.

        Its rules are its own, so that lanes never write the same file and need no locks: those of
        a killed process would hold up all lanes until every one of them has ended.
        """
        named = self._settings.lanes[lane].profile or self._settings.profile
        profile = ["--profile", named] if named else []
        return [
            *children.gentle(self._settings.nice, self._settings.io_level),
            *(sys.executable, "-m", "snakemake", *(target.path for target in targets)),
            *("--snakefile", str(PIPELINE / "Snakefile"), "--nolock"),
            *("--cores", str(cores), *profile),
            *("--allowed-rules", *LANES[lane], "--configfile", str(self._file)),
            *("--config", "ingest={stable_seconds: 0}"),
        ]

    def reap(self) -> bool:
        """Note what became of processes that have ended; tell whether there were any.

        The project must be there: what is lacking has failed.
        """
        ended = [lane for lane, child in self.running.items() if not child.runs()]
        for lane in ended:
            self._judge(lane, self.running.pop(lane))
        for lane, child in self.running.items():
            self._bound(lane, child)
        return bool(ended)

    def _bound(self, lane: Lane, child: Child) -> None:
        """End a process that has run for longer than its lane allows."""
        settings = self._settings.lanes.get(lane)
        if settings is None or settings.longest_run_s is None:
            return
        over_s = child.age_s - settings.longest_run_s
        if over_s > 0 and child.finish():
            told = {"lane": lane, "pid": child.started.pid}
            bound = f"has run for more than {settings.longest_run_s:g} s: it is ended"
            self._log.warning("lane %s %s", lane, bound, extra={"told": told})
        if over_s > self._settings.grace_s:
            child.kill()

    def _judge(self, lane: Lane, child: Child) -> None:
        """Note which targets were made; of a process found again, who knows why others were not."""
        for target, before_ns in zip(child.targets, child.started.made_ns, strict=True):
            made_ns = written_ns(self.project / target.path)
            if made_ns > before_ns or (made_ns and child.status == 0):
                self._attempts.succeeded(target, changed=made_ns > before_ns)
                self._made[lane] += made_ns > before_ns
            elif child.status is not None and not self._ending:
                self._failed(lane, target, child.status)
        self._say("lane ended", lane, status=child.status)
        child.forget()

    def _failed(self, lane: Lane, target: Target, status: int) -> None:
        attempt = self._attempts.failed(target, status)
        words = "given up" if attempt.given_up else "failed, will be tried again"
        told = {"lane": lane, "target": target.path, "failures": attempt.failures, "status": status}
        log = self._folder / f"lane-{lane}.log"
        self._log.warning("%s: %s; see %s", target.path, words, log, extra={"told": told})

    def end(self, until_s: float, there: Callable[[], bool]) -> None:
        """Let what runs end until some time of the monotonic clock, then kill it.

        Parameters
        ----------
        until_s : float
            That time, s.
        there : callable
            Tells whether the project is there; otherwise the next watcher judges what has ended.
        """
        self._ending = True
        for child in self.running.values():
            child.finish()
        self._wait(until_s, there)
        for lane, child in self.running.items():
            self._say("lane killed", lane)
            child.kill()
        self._wait(time.monotonic() + _KILLED_S, there)
        for lane, child in self.running.items():
            left = f"process {child.started.pid} cannot be killed: the next watcher takes it over"
            self._log.warning("lane %s: %s", lane, left)

    def _wait(self, until_s: float, there: Callable[[], bool]) -> None:
        while self.running and time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                if there():
                    self.reap()
            if not any(child.runs() for child in self.running.values()):
                break
            time.sleep(STEP_S / 2)
        if not any(child.runs() for child in self.running.values()):
            self.running.clear()

    def status(self, lane: Lane, backlog: int) -> dict[str, Any]:
        """Return what a lane does, as JSON."""
        child = self.running.get(lane)
        return {
            "pid": child.started.pid if child else None,
            "age_s": round(child.age_s, 1) if child else None,
            "running": [target.path for target in child.targets] if child else [],
            "backlog": backlog,
            "made": self._made[lane],
        }

    def _say(self, message: str, lane: Lane, **told: Any) -> None:  # noqa: ANN401 - JSON
        self._log.info("%s: %s", message, lane, extra={"told": {"lane": lane, **told}})
