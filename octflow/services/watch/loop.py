"""The watcher: looks, lanes, and what is noted about them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from octflow.core.layout import job_of
from octflow.services.events.given_up import GivenUp, write_given_up
from octflow.services.watch import child as children
from octflow.services.watch.attempts import Attempt, Attempts
from octflow.services.watch.child import Child
from octflow.services.watch.companions import companions_of, end_all
from octflow.services.watch.journal import open_journal, read_status, set_aside, write_status
from octflow.services.watch.looks import Looks
from octflow.services.watch.origins import Origins
from octflow.services.watch.targets import Inventories, Scan, Target, written_ns
from octflow.workflow.alive import join_runs
from octflow.workflow.config import PIPELINE, Config
from octflow.workflow.lanes import LANES, Lane
from octflow.workflow.session import Session

STEP_S = 0.5
"""Time between two looks at the lanes' processes."""
FAREWELL_S = 10.0
"""Companions have so long to end, even where the lanes have taken all of the grace time."""


class Watcher:
    """Runs the lanes of one project; `sole_watcher` must be held.

    Parameters
    ----------
    config : Config
        The configuration.
    file : Path
        The file it was read from, which the Snakemake processes read too.
    """

    def __init__(self, config: Config, file: Path) -> None:
        ingest = config.ingest.model_copy(update={"stable_seconds": 0.0})
        self._config = config.model_copy(update={"ingest": ingest})
        self._file, self._settings = file.absolute(), config.watch
        self.project = PIPELINE / config.project.folder
        self.folder = self.project / "watch"
        self.log = open_journal(self.folder / "watch.jsonl", self._settings)
        self._looks = Looks(config.ingest.stable_seconds)
        self._inventories, self._origins = Inventories(), Origins(self.project)
        self._attempts = Attempts(self._settings, now_s=time.time)
        self._running: dict[Lane, Child] = {}
        self._made: Counter[str] = Counter()
        self._stop = threading.Event()
        self._scan: Scan | None = None
        self._companions = companions_of(config, self.project, self.log)

    def stop(self, *_: object) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stop.set()

    def run(self, *, once: bool = False, retry: bool = False) -> None:
        """Watch until a signal comes, or with `once` until nothing is left to be done now."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        if not retry:
            self._attempts.restore(read_status(self.folder / "status.json").get("failing", {}))
        self._find_orphans()
        for companion in self._companions:
            companion.start()
        while not self._stop.is_set():
            self._try_turn()
            if once and self._idle():
                break
            self._rest()
        self._end()

    def _try_turn(self) -> None:
        """Look once; a mount that hiccups, or a full disk, costs one look and not the night."""
        self._scan = None
        try:
            self._turn()
        except OSError as error:
            self.log.warning("this look failed: %s", error)

    def _turn(self) -> None:
        """Look once, and start what is ready."""
        self._reap()
        self._hooks()
        self._scan = Scan(
            Session(self._config, PIPELINE),
            *(self._looks, self._inventories, self._origins),
            self._attempts.current,
        )
        if not self._locked_by_others():
            for lane in self._settings.lanes:
                if lane not in self._running and (due := self._due(lane)):
                    self._start(lane, due[: self._settings.lanes[lane].targets_per_run])
        self._tell()

    def _rest(self) -> None:
        """Wait until the next look: a while, or until a process has ended."""
        until = time.monotonic() + self._settings.poll_seconds
        while time.monotonic() < until and not self._stop.wait(STEP_S):
            if self._reap():
                return

    def _idle(self) -> bool:
        """Tell whether nothing runs, is ready or may become so by itself."""
        if self._scan is None:
            return False
        ready = [target for targets in self._scan.targets.values() for target in targets]
        waits = [target for target in ready if not self._attempts.given_up(target)]
        return not (self._running or waits or self._scan.settling)

    def _due(self, lane: Lane) -> list[Target]:
        return self._attempts.due(self._scan.targets[lane]) if self._scan else []

    def _locked_by_others(self) -> bool:
        """Tell whether Snakemake was started by hand, whose locks our processes do not heed."""
        os.close(join_runs(self.project))  # Removes what killed runs left, if none is alive.
        locked = any((self.project / ".snakemake" / "locks").glob("*.lock"))
        if locked:
            self.log.warning("another Snakemake runs in the project: nothing is started")
        return locked

    def _start(self, lane: Lane, targets: list[Target]) -> None:
        log = self.folder / f"lane-{lane}.log"
        set_aside(log, self._settings)
        self._running[lane] = children.start(
            self._command(lane, targets),
            PIPELINE,
            note=self.folder / f"lane-{lane}.json",
            log=log,
            targets=targets,
            made_ns=[written_ns(self.project / target.path) for target in targets],
        )
        self._say("lane started", lane, targets=[target.path for target in targets])

    def _command(self, lane: Lane, targets: list[Target]) -> list[str]:
        """Return the words that start a lane.

        Its rules are its own, so that lanes never write the same file and need no locks: those of
        a killed process would hold up all lanes until every one of them has ended.
        """
        profile = ["--profile", self._settings.profile] if self._settings.profile else []
        cores = str(self._settings.lanes[lane].cores)
        anew = self._scan.anew(targets) if self._scan else []
        return [
            *children.gentle(self._settings.nice, self._settings.io_level),
            *(sys.executable, "-m", "snakemake", *(target.path for target in targets)),
            *("--snakefile", str(PIPELINE / "Snakefile"), "--nolock", "--cores", cores, *profile),
            *("--allowed-rules", *LANES[lane], "--configfile", str(self._file)),
            *("--config", "ingest={stable_seconds: 0}"),
            *(["--forcerun", *anew] if anew else []),
        ]

    def _find_orphans(self) -> None:
        """Take over the processes that a killed watcher left; judge those that ended since."""
        for lane in LANES:
            if (found := children.find(self.folder / f"lane-{lane}.json")) is not None:
                self._running[lane] = found
                self._say("lane found again", lane, runs=found.runs())

    def _reap(self) -> bool:
        """Note what became of processes that have ended; tell whether there were any."""
        ended = [lane for lane, child in self._running.items() if not child.runs()]
        for lane in ended:
            self._judge(lane, self._running.pop(lane))
        return bool(ended)

    def _judge(self, lane: Lane, child: Child) -> None:
        """Note which targets were made; of a process found again, who knows why others were not."""
        for target, before_ns in zip(child.targets, child.started.made_ns, strict=True):
            made_ns = written_ns(self.project / target.path)
            if made_ns > before_ns or (made_ns and child.status == 0):
                self._attempts.succeeded(target, changed=made_ns > before_ns)
                self._made[lane] += made_ns > before_ns
            elif child.status is not None and not self._stop.is_set():
                self._failed(lane, target, child.status)
        self._say("lane ended", lane, status=child.status)
        child.forget()

    def _failed(self, lane: Lane, target: Target, status: int | None) -> None:
        attempt = self._attempts.failed(target, status)
        words = "given up" if attempt.given_up else "failed, will be tried again"
        told = {"lane": lane, "target": target.path, "failures": attempt.failures, "status": status}
        log = self.folder / f"lane-{lane}.log"
        self.log.warning("%s: %s; see %s", target.path, words, log, extra={"told": told})

    def _hooks(self) -> None:
        for words in self._settings.before_scan:
            try:
                subprocess.run(
                    words,
                    check=True,
                    capture_output=True,
                    timeout=self._settings.before_scan_timeout_s,
                )
            except (OSError, subprocess.SubprocessError) as error:
                self.log.warning("before_scan: %s", error)

    def _end(self) -> None:
        """Let what runs end within the grace time, then kill it."""
        for child in self._running.values():
            child.finish()
        until = time.monotonic() + self._settings.grace_s
        while self._running and time.monotonic() < until:
            self._reap()
            time.sleep(STEP_S / 5)
        for lane, child in self._running.items():
            self._say("lane killed", lane)
            child.kill()
        while self._running:
            self._reap()
            time.sleep(STEP_S / 5)
        self._tell()
        end_all(self._companions, max(FAREWELL_S, until - time.monotonic()), self.log)
        self.log.info("watcher ended")

    def _say(self, message: str, lane: Lane, **told: Any) -> None:  # noqa: ANN401 - JSON
        self.log.info("%s: %s", message, lane, extra={"told": {"lane": lane, **told}})

    def _tell(self) -> None:
        write_status(self.folder / "status.json", self.status())
        given_up = self._attempts.all_given_up().items()
        write_given_up(self.project, [_given_up(path, attempt) for path, attempt in given_up])

    def status(self) -> dict[str, Any]:
        """Return what the watcher knows, as JSON."""
        return {
            "pid": os.getpid(),
            "time_s": round(time.time(), 3),
            "settling_batches": self._scan.settling if self._scan else 0,
            "lanes": {lane: self._lane_status(lane) for lane in self._settings.lanes},
            "failing": self._attempts.plain(),
        }

    def _lane_status(self, lane: Lane) -> dict[str, Any]:
        child = self._running.get(lane)
        return {
            "pid": child.started.pid if child else None,
            "running": [target.path for target in child.targets] if child else [],
            "backlog": len(self._scan.targets[lane]) if self._scan else 0,
            "made": self._made[lane],
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
