"""What planning costs: a dry run over a large project in which everything is done.

    python benchmarks/plan.py                    100 mosaics x 30 batches x 28 tiles
    python benchmarks/plan.py --mosaics 10

Prints wall time and peak memory of `snakemake -n` and of `snakemake` with nothing to do. The flags
are empty files in their places; Snakemake's metadata of every job are real, made by `--touch`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import large
import yaml

from octflow.workflow.config import read_config
from octflow.workflow.session import Session

ROOT = Path(__file__).parents[1]


def run(config: Path, *options: str, cores: int = 2) -> tuple[float, float, str]:
    """Run Snakemake; return wall s, peak MB and what it said."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        str(cores),
        "--configfile",
        str(config),
        *options,
    ]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        said.seek(0)
        text = said.read()
    if status:
        sys.exit(text)
    return time.monotonic() - started, usage.ru_maxrss / 1024, text


def main() -> None:
    """Make the project, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    large.add_size(parser, mosaics=100, batches=30, tiles=28)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        values = large.values_of(Path(name), asked.mosaics, asked.batches, asked.tiles)
        path = Path(name) / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        config = read_config(values)
        large.acquire(config, asked.mosaics)
        session = Session(config, ROOT)
        jobs = large.jobs_of(session, asked.mosaics)
        for job in jobs:
            large.touch(session, job)
        # Many "cores" only let the touching be handed out in few rounds.
        run(path, "--touch", "--forceall", "--quiet", "all", "--scheduler", "greedy", cores=5000)
        tiles = asked.mosaics * asked.batches * asked.tiles
        size = f"{asked.mosaics} mosaics x {asked.batches} batches"
        print(f"{size}, {tiles} raw tiles, {len(jobs)} flags")
        print(f"{'command':16} {'wall s':>8} {'peak MB':>8}")
        for options in (["-n"], []):
            wall_s, peak_mb, text = run(path, *options)
            said = "nothing to be done" if "Nothing to be done" in text else "JOBS LEFT"
            command = " ".join(["snakemake", *options])
            print(f"{command:16} {wall_s:8.1f} {peak_mb:8.0f}  {said}")


if __name__ == "__main__":
    main()
