"""How soon a batch is worked on, with the real watcher and the real Snakemake.

python benchmarks/watch.py /tmp/acquisition --tiles 360 --shorten 8

Simulates an acquisition of small tiles beforehand, then drops them at the pace of one in 10 s,
divided by --shorten, into the folder that `octflow watch` looks at. Latency is the time from the
last tile of a batch being stable (`--stable` s after it was dropped) to the start of its jobs, as
their records have it.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import median

import yaml

from octflow.cli.cmd_simulate import config_of
from octflow.core.experiment import Experiment
from octflow.core.layout import flag
from octflow.core.names import parse_raw_name
from octflow.simulate.acquisition import scan
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation

PACE_S = 10.0
"""A tile of the microscope."""
ROOT = Path(__file__).parents[1]


def main(arguments: argparse.Namespace) -> None:
    """Simulate, acquire, and print what the records say."""
    folder = arguments.folder.absolute()
    simulation = simulated(folder, arguments)
    for left in ("raw", "project"):
        shutil.rmtree(folder / left, ignore_errors=True)
    (folder / "raw").mkdir()
    command = [sys.executable, "-m", "octflow.cli", "watch", str(folder / "config.yaml")]
    with (folder / "watch.log").open("w") as said:
        watcher = subprocess.Popen([*command, "--log-json"], cwd=ROOT, stdout=said, stderr=said)
    try:
        time.sleep(3)
        arrived = acquire(folder, PACE_S / arguments.shorten, arguments.batch)
        wait(folder, arguments.patience)
    finally:
        watcher.send_signal(signal.SIGTERM)
        watcher.wait()
    tell(folder, simulation.experiment, arrived, arguments.stable)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"CPU s of the watcher and all jobs: {used.ru_utime + used.ru_stime:.0f}")


def simulated(folder: Path, arguments: argparse.Namespace) -> Simulation:
    """Write the raw tiles into FOLDER/acquired, unless they are there, and the configuration."""
    plain = preset("tiny").plain()
    rows = plain["experiment"]["illuminations"]
    columns = -(-arguments.tiles // (arguments.batch * len(rows)))
    plain["experiment"]["grid_size_y"] = arguments.batch
    for row in rows:
        row["grid_size_x"] = columns
    simulation = Simulation.model_validate(plain | {"n_slices": 1})
    for done, _ in enumerate(scan(simulation, folder / "acquired"), 1):
        if done % 30 == 0:
            print(f"simulated {done} tiles", file=sys.stderr)
    config = config_of(simulation, folder)
    config["instrument"]["dispersion_file"] = str(folder / "acquired" / "dispersion.dat")
    config["ingest"] = {"stable_seconds": arguments.stable}
    config["volume"] = {"modalities": []}
    config["watch"] = {"notify": arguments.notify, "nice": arguments.nice}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return simulation


def acquire(folder: Path, pace_s: float, batch: int) -> dict[tuple[int, int], float]:
    """Drop the tiles; return when each (mosaic, tile) came, s of the epoch."""
    arrived = {}
    paths = sorted((folder / "acquired" / "raw").iterdir())
    began_s = time.time()
    print("  minute  tiles  batches  done")
    for number, path in enumerate(paths):
        time.sleep(max(0.0, began_s + number * pace_s - time.time()))
        os.link(path, folder / "hidden")
        (folder / "hidden").rename(folder / "raw" / path.name)
        name = parse_raw_name(path.name)
        arrived[name.mosaic, name.tile] = time.time()
        if number % max(1, len(paths) // 12) == 0:
            done = len(list((folder / "project").glob("mosaic-*/state/*.processed")))
            minute = (time.time() - began_s) / 60
            print(f"{minute:8.1f} {number + 1:6d} {(number + 1) // batch:8d} {done:5d}", flush=True)
    return arrived


def wait(folder: Path, patience_s: float) -> None:
    """Wait until the slice is registered, which needs every batch."""
    until_s = time.time() + patience_s
    while not (folder / "project" / flag("register_slice", slice=1)).exists():
        if time.time() > until_s:
            print(f"not done after {patience_s:g} s")
            return
        time.sleep(0.5)


def tell(
    folder: Path, experiment: Experiment, arrived: dict[tuple[int, int], float], stable_s: float
) -> None:
    """Print latencies, and whether every batch is done."""
    stable = {}
    for mosaic in sorted({mosaic for mosaic, _ in arrived}):
        for batch in experiment.batches_of(mosaic):
            tiles = experiment.tiles_of(mosaic, batch)
            stable[mosaic, batch] = max(arrived[mosaic, tile] for tile in tiles) + stable_s
    done = [
        (folder / "project" / flag("process_batch", mosaic=m, batch=b)).exists() for m, b in stable
    ]
    print(f"{sum(done)} of {len(stable)} batches are done")
    rows = {"its Snakemake started": lanes_started(folder)}
    for rule in ("start_batch", "convert_batch"):
        rows[f"{rule} started"] = {unit: started_s(folder, rule, *unit) for unit in stable}
    print(f"{'after the last tile is stable, s':34} {'median':>7} {'worst':>7}")
    for name, times in rows.items():
        found = [times[unit] - stable[unit] for unit in stable if times.get(unit)]
        print(f"{name:34} {median(found):7.1f} {max(found):7.1f}")


def lanes_started(folder: Path) -> dict[tuple[int, int], float]:
    """Return when the Snakemake process of every batch was started."""
    lines = (folder / "project/watch/watch.jsonl").read_text().splitlines()
    found: dict[tuple[int, int], float] = {}
    for line in map(json.loads, lines):
        for target in line.get("targets", []):
            if target.endswith(".processed"):
                unit = int(target[7:10]), int(target[-13:-10])
                found.setdefault(unit, datetime.fromisoformat(line["time"]).timestamp())
    return found


def started_s(folder: Path, rule: str, mosaic: int, batch: int) -> float | None:
    """Return when the first attempt of a job of a batch began."""
    pattern = f"lineage/{rule}/*mosaic-{mosaic:03d}_batch-{batch:03d}*/attempt-001.json"
    for path in (folder / "project").glob(pattern):
        return datetime.fromisoformat(json.loads(path.read_text())["started_at"]).timestamp()
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiles", type=int, default=120, help="how many; 360 are an hour")
    parser.add_argument("--batch", type=int, default=10, help="tiles of a batch")
    parser.add_argument("--shorten", type=float, default=8.0, help="divide the pace by")
    parser.add_argument("--stable", type=float, default=2.0, help="ingest.stable_seconds")
    parser.add_argument("--nice", type=int, default=0, help="watch.nice; others are at work")
    parser.add_argument("--notify", default="auto", help="watch.notify")
    parser.add_argument("--patience", type=float, default=600.0, help="s, after the last tile")
    main(parser.parse_args())
