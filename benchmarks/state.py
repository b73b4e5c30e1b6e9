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

import large

from octflow.services.state import ProjectState, peek_project
from octflow.services.state_text import lines_of
from octflow.workflow.config import Config, read_config
from octflow.workflow.session import Session


def finish(session: Session, mosaics: int) -> int:
    """Make the flags of the first mosaics, failures among the others; return how many flags."""
    jobs = large.jobs_of(session, mosaics)
    done = [job for job in jobs if (job.unit.mosaic or 0) <= 0.75 * mosaics]
    for job in done:
        large.touch(session, job)
    tried = [job for job in jobs if job.rule == "process_batch"]
    for job in tried[-len(tried) // 4 :: 100]:
        large.fail(session, job)
    return len(done)


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
    large.add_size(parser, mosaics=200, batches=20, tiles=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = read_config(large.values_of(folder, asked.mosaics, asked.batches, asked.tiles))
        large.acquire(config, asked.mosaics)
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
