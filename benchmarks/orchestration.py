"""What running the workflow costs, beside the work itself: the watcher's looks, Snakemake, records.

    python benchmarks/orchestration.py                   20 and 200 mosaics x 20 batches x 25 tiles
    python benchmarks/orchestration.py --mosaics 20      10 000 tiles only
    python benchmarks/orchestration.py --parts scan lane      some of: scan lane whole jobs per_tile

All but half of the last mosaic is done, with a record for every flag, and Snakemake's metadata of
every job. Every row is a process of its own; the least of three, or of one where it takes long.

scan      the look of the watcher, by its own clock: the first of a process, and later ones
lane      Snakemake as the watcher starts it, on 20 targets of the last mosaic that are done
whole     `snakemake -n` as a person types it
jobs      a lane that makes batches of small simulated tiles, less the functions' own time as the
          records have it: what a job costs in addition
per_tile  `snakemake -n` over the same tiles with one job per tile and rule, everything done and no
          metadata, which is to its advantage; ended at --limit seconds
"""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import large
import yaml

from octflow.core.experiment import Experiment, Illumination
from octflow.core.layout import flag
from octflow.services.jobs import Job
from octflow.services.watch.attempts import Attempts
from octflow.services.watch.crew import Crew
from octflow.services.watch.looks import Looks
from octflow.services.watch.origins import Origins
from octflow.services.watch.targets import Inventories, Scan, Target
from octflow.workflow.config import PIPELINE, Config, read_config
from octflow.workflow.lanes import Lane
from octflow.workflow.session import Session

PARTS = ("scan", "lane", "whole", "jobs", "per_tile")
BATCHES, TILES, SIZE_PX = 20, 25, 16
DONE = 10
"""Batches of the last mosaic that are done."""
FRESH = 4
"""Batches of it that are made together, after one that is made alone."""
RULES = ("start_batch", "convert_batch", "process_batch", "archive_batch")
# The executor that only touches sleeps a tenth of a second for every job.
TOUCH = (
    "from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0; "
    "from snakemake.cli import main; main()"
)
# What a process has at most counts what its parent had when it was started: it needs a small one.
TIMED = """
import json, os, subprocess, sys, threading, time
start_s = time.monotonic()
child = subprocess.Popen(sys.argv[2:], stdout=sys.stderr, stderr=sys.stderr)
late = threading.Timer(float(sys.argv[1]), child.kill)
late.start()
_, status, used = os.wait4(child.pid, 0)
ended = late.is_alive()
late.cancel()
spent = used.ru_utime + used.ru_stime, time.monotonic() - start_s, used.ru_maxrss / 1024
print(json.dumps([status, ended, *spent]))
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    said: str = ""
    ended: bool = True
    """False where it was killed at the limit."""


def cost_of(command: Sequence[str], limit_s: float = 900) -> Cost:
    """Run a command to its end, with all processes that it waits for."""
    words = [sys.executable, "-S", "-c", TIMED, str(limit_s), *command]
    done = subprocess.run(words, cwd=PIPELINE, capture_output=True, text=True, check=True)
    status, ended, *spent = json.loads(done.stdout)
    if status and ended:
        sys.exit(done.stderr[-3000:])
    return Cost(*spent, done.stderr, ended)


def least(costs: list[Cost]) -> Cost:
    """Return the least of each."""
    cpu_s, wall_s = min(cost.cpu_s for cost in costs), min(cost.wall_s for cost in costs)
    return Cost(cpu_s, wall_s, max(cost.peak_mb for cost in costs), costs[0].said)


def tell(what: str, cost: Cost, remark: str = "") -> None:
    """Print a row."""
    print(
        f"  {what:36} {cost.cpu_s:8.2f} {cost.wall_s:8.2f} {cost.peak_mb:8.0f}  {remark}",
        flush=True,
    )


class Project:
    """A project whose last mosaic is being scanned."""

    def __init__(self, folder: Path, mosaics: int) -> None:
        self.mosaics, self.file = mosaics, folder / "config.yaml"
        values = large.values_of(folder, mosaics, BATCHES, TILES)
        for row in values["experiment"]["illuminations"]:
            row |= {"tile_size_x_px": SIZE_PX, "tile_size_y_px": SIZE_PX}
        values["instrument"] = {"dispersion_file": None}
        self.file.write_text(yaml.safe_dump(values))
        self.config = config_of(self.file)
        self._write()
        settings = self.config.watch
        about = (settings, Attempts(settings, now_s=time.time), logging.getLogger("octflow"))
        self._crew = Crew(folder / "project", self.file, *about)

    def _write(self) -> None:
        """Write names of raw tiles, records, and metadata; the last mosaic is half there."""
        large.acquire(self.config, self.mosaics)
        for batch in range(DONE + 1, BATCHES + 1):
            for path in self._raw_tiles(batch):
                path.unlink()
        session = Session(self.config, PIPELINE)
        records = large.Records(session)
        jobs = [job for job in large.jobs_of(session, self.mosaics) if self._is_done(job)]
        for job in jobs:
            records.write(job)
        print(f"{self.mosaics * BATCHES * TILES} tiles, {len(jobs)} flags", flush=True)
        made = ["--touch", "--forceall", "--quiet", "all", "--scheduler", "greedy"]
        # Many "cores" only let the touching be handed out in few rounds.
        cost_of([sys.executable, "-c", TOUCH, *made, "--cores", "99999", *self._configured])

    @property
    def _configured(self) -> list[str]:
        return ["--configfile", str(self.file)]

    def _is_done(self, job: Job) -> bool:
        if job.unit.mosaic == self.mosaics:
            return job.rule == "start_mosaic" or 0 < (job.unit.batch or 0) <= DONE
        return job.unit.mosaic is not None or (
            job.unit.slice != self.mosaics // 2 or job.rule == "start_slice"
        )

    def _raw_tiles(self, batch: int) -> list[Path]:
        raw = Path(self.config.acquisition.folder)
        tiles = self.config.experiment.tiles_of(self.mosaics, batch)
        return [raw / f"mosaic_{self.mosaics:03d}_image_{t:04d}_spectral_0000.nii" for t in tiles]

    def lane(self, lane: Lane, batches: Sequence[int]) -> list[str]:
        """Return the words that start a lane: on batches of the last mosaic, or the one before."""
        paths = [flag(rule, mosaic=self.mosaics - 1) for rule in ("stitch_enface", "join_volumes")]
        if lane == "tile":
            rules = ("process_batch", "archive_batch")
            paths = [flag(r, mosaic=self.mosaics, batch=b) for b in batches for r in rules]
        return self._crew.command(lane, [Target(str(path), "") for path in paths], 1)

    def whole(self) -> list[str]:
        """Return what a person types."""
        return [sys.executable, "-m", "snakemake", "-n", "--cores", "2", *self._configured]

    def deliver(self, tile: Path, batches: Sequence[int]) -> None:
        """Have the microscope write batches of the last mosaic, all of one tile."""
        for batch in batches:
            for path in self._raw_tiles(batch):
                path.hardlink_to(tile)

    def function_s(self, batches: Sequence[int]) -> float:
        """Return how long the functions of batches took, by their records."""
        project = Path(self.config.project.folder)
        flags = [flag(rule, mosaic=self.mosaics, batch=b) for b in batches for rule in RULES]
        return sum(json.loads((project / path).read_bytes())["wall_s"] for path in flags)


def config_of(file: Path) -> Config:
    """Read a configuration."""
    return read_config(yaml.safe_load(file.read_text()))


def scan(file: Path) -> None:
    """Look four times, as the watcher does; print CPU and wall seconds of each."""
    config = config_of(file)
    known = Looks(0.0), Inventories(), Origins(Path(config.project.folder))
    spent = []
    for _ in range(4):
        cpu_s, wall_s = time.process_time(), time.monotonic()
        found = Scan(Session(config, PIPELINE), *known, lambda target: False)
        if any(found.targets.values()):
            counts = {lane: len(targets) for lane, targets in found.targets.items()}
            sys.exit(f"expected nothing to be made, found {counts}")
        spent.append((time.process_time() - cpu_s, time.monotonic() - wall_s))
    print(json.dumps(spent))


def scan_part(project: Project, _: argparse.Namespace) -> None:
    """Measure the looks of the watcher."""
    cost = cost_of([sys.executable, __file__, "--scan", str(project.file)])
    first, *later = json.loads(cost.said)
    tell("scan, the first", Cost(*first, cost.peak_mb))
    tell("scan, later", Cost(*map(min, zip(*later, strict=True)), cost.peak_mb))


def lane_part(project: Project, _: argparse.Namespace) -> None:
    """Measure lanes that find nothing to be done."""
    for lane, n_targets in (("tile", 2 * DONE), ("stitch", 2)):
        costs = [cost_of(project.lane(lane, range(1, DONE + 1))) for _ in range(3)]
        _expect_nothing(costs[0])
        tell(f"lane {lane}, {n_targets} targets, no-op", least(costs))


def whole_part(project: Project, _: argparse.Namespace) -> None:
    """Measure the dry run of everything."""
    cost = cost_of(project.whole())
    _expect_nothing(cost)
    tell("snakemake -n, the whole project", cost)


def _expect_nothing(cost: Cost) -> None:
    if "Nothing to be done" not in cost.said:
        sys.exit(f"expected nothing to be done, found\n{cost.said[-3000:]}")


def jobs_part(project: Project, _: argparse.Namespace) -> None:
    """Measure lanes that make batches."""
    # Here, so that the process that scans does not hold what simulates.
    from octflow.simulate.acquisition import Exposure, write_raw_tile
    from octflow.simulate.settings import Simulation

    tile = project.file.parent / "tile.nii"
    row = Illumination(name="n", grid_size_x=1, tile_size_x_px=SIZE_PX, tile_size_y_px=SIZE_PX)
    table = Experiment(grid_size_y=1, illuminations=(row,))
    simulation = Simulation(n_slices=1, dispersion_rad=0, experiment=table)
    write_raw_tile(simulation, Exposure(1, 1, 1), tile)
    for batches in ([DONE + 1], range(DONE + 2, DONE + 2 + FRESH)):
        project.deliver(tile, batches)
        cost = cost_of(project.lane("tile", batches))
        own_s, n_jobs = project.function_s(batches), len(RULES) * len(batches)
        each_s = (cost.wall_s - own_s) / n_jobs
        said = f"{n_jobs} jobs, {own_s:.1f} s of functions; beside them {each_s:.2f} s a job"
        tell(f"lane tile, {len(batches)} new batches", cost, said)


def per_tile_part(project: Project, asked: argparse.Namespace) -> None:
    """Measure the job graph that has every tile in it."""
    folder = project.file.parent / "per_tile"
    n_tiles = BATCHES * TILES
    _write_tiles(folder, project.mosaics, n_tiles)
    sizes = [f"mosaics={project.mosaics}", f"tiles_per_mosaic={n_tiles}"]
    where = ["--snakefile", str(PIPELINE / "benchmarks/per_tile/Snakefile"), "--directory"]
    words = [sys.executable, "-m", "snakemake", "-n", *where, str(folder), "--config", *sizes]
    cost = cost_of(words, asked.limit)
    if cost.ended:
        _expect_nothing(cost)
    tell("snakemake -n, one job per tile", cost, "" if cost.ended else "killed at the limit")


def _write_tiles(folder: Path, mosaics: int, n_tiles: int) -> None:
    for place in ("raw", "complex", "processed", "archived", "stitched", "registered"):
        (folder / place).mkdir(parents=True)
    for m in range(1, mosaics + 1):
        names = [f"{m:03d}_{tile:04d}" for tile in range(1, n_tiles + 1)]
        raw = [folder / f"raw/mosaic_{n.replace('_', '_image_')}_spectral_0000.nii" for n in names]
        made = [folder / place / n for place in ("complex", "processed", "archived") for n in names]
        for path in [*raw, *made, folder / f"stitched/{m:03d}"]:
            os.close(os.open(path, os.O_CREAT))
    for number in range(1, mosaics // 2 + 1):
        (folder / f"registered/{number:03d}").touch()


MEASURES: dict[str, Callable[[Project, argparse.Namespace], None]] = {
    "scan": scan_part,
    "lane": lane_part,
    "whole": whole_part,
    "jobs": jobs_part,
    "per_tile": per_tile_part,
}


def main() -> None:
    """Make projects, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mosaics", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--limit", type=float, default=150, help="s, for one job per tile")
    parser.add_argument("--scan", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.scan:
        scan(asked.scan)
        return
    for mosaics in asked.mosaics:
        folder = Path(tempfile.mkdtemp())
        try:
            project = Project(folder, mosaics)
            print(f"  {'':36} {'CPU s':>8} {'wall s':>8} {'peak MB':>8}")
            for part in (part for part in PARTS if part in asked.parts):
                MEASURES[part](project, asked)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
