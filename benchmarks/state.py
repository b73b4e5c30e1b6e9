"""What a look at a large project costs: `peek_project`, and `octflow status` with it.

    python benchmarks/state.py                 200 mosaics x 20 batches x 25 tiles
    python benchmarks/state.py --mosaics 20    a tenth of it

Flags are empty files in their places, made for three quarters of the mosaics and for all slices;
the raw tiles of all are there by name. Every hundredth open batch has a failed attempt. Prints the
least CPU time of three looks, their least wall time, and the peak memory of the process.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.record import Unit
from octflow.io.records import write_record
from octflow.services.jobs import Expected, Job
from octflow.services.state import ProjectState, peek_project
from octflow.services.state_text import lines_of
from octflow.workflow.config import Config, read_config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session


def config_of(folder: Path, asked: argparse.Namespace) -> Config:
    """Return the configuration of a project with two illuminations."""
    rows = [
        {"name": "normal", "grid_size_x": asked.batches},
        {"name": "tilted", "tilt_deg": -15, "grid_size_x": asked.batches},
    ]
    values = {
        "project": {"folder": str(folder / "project"), "slices": asked.mosaics // 2},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {"grid_size_y": asked.tiles, "illuminations": rows},
        "ingest": {"stable_seconds": 0},
    }
    return read_config(values)


def acquire(config: Config, mosaics: int) -> None:
    """Make the names of all raw tiles."""
    raw = Path(config.acquisition.folder)
    raw.mkdir()
    for mosaic in range(1, mosaics + 1):
        for tile in config.experiment.grid_of(mosaic):
            (raw / f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii").touch()


def finish(session: Session, mosaics: int) -> int:
    """Make the flags of the first mosaics, failures among the others; return how many flags."""
    expected, config = Expected(session), session.config
    jobs = list(expected.of_project())
    for mosaic in range(1, mosaics + 1):
        jobs += expected.of_mosaic(mosaic)
        for batch in config.experiment.batches_of(mosaic):
            jobs += expected.of_batch(mosaic, batch)
    for slice_id in range(1, mosaics // 2 + 1):
        jobs += expected.of_slice(slice_id)
    done = [job for job in jobs if (job.unit.mosaic or 0) <= 0.75 * mosaics]
    for job in done:
        path = session.project / job.flag
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tried = [job for job in jobs if job.rule == "process_batch"]
    for job in tried[-len(tried) // 4 :: 100]:
        _fail(session, job)
    return len(done)


def _fail(session: Session, job: Job) -> None:
    attempt = Attempt("process", job.rule, Unit(project="demo"), [], {}, 1, "tile", 1)
    record = attempt.failed(DataError("a.nii", found="0 bytes", expected="4 bytes"), "data")
    write_record(session.project / job.lineage / "attempt-001.json", record)


def look(config: Config, folder: Path) -> tuple[float, float, ProjectState]:
    """Return CPU seconds and wall seconds of a look, and what was seen."""
    cpu_s, wall_s = time.process_time(), time.monotonic()
    state = peek_project(Session(config, folder))
    list(lines_of(state))
    return time.process_time() - cpu_s, time.monotonic() - wall_s, state


def main() -> None:
    """Make the project, look, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mosaics", type=int, default=200)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--tiles", type=int, default=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = config_of(folder, asked)
        acquire(config, asked.mosaics)
        flags = finish(Session(config, folder), asked.mosaics)
        looks = [look(config, folder) for _ in range(3)]
    tiles = asked.mosaics * asked.batches * asked.tiles
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    state = looks[0][2]
    print(f"{asked.mosaics} mosaics, {asked.mosaics * asked.batches} batches, {tiles} tiles")
    print(f"{flags} flags, {len(state.failures)} failures")
    print(f"CPU {min(cpu for cpu, _, _ in looks):.2f} s, wall {min(w for _, w, _ in looks):.2f} s")
    print(f"peak {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
