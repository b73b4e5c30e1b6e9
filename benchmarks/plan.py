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

import yaml

from octflow.core.layout import flag
from octflow.workflow.config import read_config

ROOT = Path(__file__).parents[1]


def config_of(folder: Path, batches: int, tiles: int) -> dict:
    """Return the configuration of a project with two illuminations."""
    rows = [
        {"name": "normal", "grid_size_x": batches},
        {"name": "tilted", "tilt_deg": -15, "grid_size_x": batches},
    ]
    return {
        "project": {"name": "large", "folder": str(folder / "project")},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {"grid_size_y": tiles, "illuminations": rows},
        "ingest": {"stable_seconds": 0},
    }


def acquire(config: dict, mosaics: int) -> None:
    """Make the names of all raw tiles."""
    raw = Path(config["acquisition"]["folder"])
    raw.mkdir(parents=True)
    table = read_config(config).experiment
    for mosaic in range(1, mosaics + 1):
        for tile in table.grid_of(mosaic):
            name = f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii"
            os.close(os.open(raw / name, os.O_CREAT))


def finish(config: dict, mosaics: int) -> int:
    """Make every flag and declared product; return the number of flags."""
    project = Path(config["project"]["folder"])
    table = read_config(config).experiment
    per_batch = ["start_batch", "archive_batch", "convert_batch", "process_batch"]
    flags = [
        flag(rule, illumination=n)
        for n in ("normal", "tilted")
        for rule in ("find_tilemap", "find_focus")
    ]
    flags.append(flag("stack_slices"))
    extra = ["qc/stack.jpg"]
    extra += [f"tilemap-{n}.j2" for n in ("normal", "tilted")]
    extra += [f"focus-{n}.nii" for n in ("normal", "tilted")]
    extra += [f"qc/{k}-{n}.jpg" for n in ("normal", "tilted") for k in ("focus", "tilemap")]
    for slice_id in range(1, mosaics // 2 + 1):
        flags += [flag(rule, slice=slice_id) for rule in ("start_slice", "register_slice")]
        flags += [flag("place_slice", slice=slice_id)] if slice_id > 1 else []
        extra.append(f"qc/slice-{slice_id:03d}.jpg")
    for m in range(1, mosaics + 1):
        flags += [
            flag(rule, mosaic=m) for rule in ("start_mosaic", "stitch_enface", "join_volumes")
        ]
        extra.append(f"mosaic-{m:03d}/qc/enface.jpg")
        for modality in ("dBI", "R3D", "O3D"):
            flags.append(flag("stitch_volume", mosaic=m, modality=modality))
            extra.append(f"mosaic-{m:03d}/qc/volume-{modality}.jpg")
        for b in table.batches_of(m):
            flags += [flag(rule, mosaic=m, batch=b) for rule in per_batch]
            extra.append(f"mosaic-{m:03d}/qc/batch-{b:03d}.jpg")
    for path in [*flags, *map(Path, extra)]:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).touch()
    return len(flags)


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
    parser.add_argument("--mosaics", type=int, default=100)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--tiles", type=int, default=28)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        config = config_of(Path(name), asked.batches, asked.tiles)
        path = Path(name) / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        acquire(config, asked.mosaics)
        flags = finish(config, asked.mosaics)
        # Many "cores" only let the touching be handed out in few rounds.
        run(path, "--touch", "--forceall", "--quiet", "all", "--scheduler", "greedy", cores=5000)
        tiles = asked.mosaics * asked.batches * asked.tiles
        print(
            f"{asked.mosaics} mosaics x {asked.batches} batches, {tiles} raw tiles, {flags} flags"
        )
        print(f"{'command':16} {'wall s':>8} {'peak MB':>8}")
        for options in (["-n"], []):
            wall_s, peak_mb, text = run(path, *options)
            said = "nothing to be done" if "Nothing to be done" in text else "JOBS LEFT"
            command = " ".join(["snakemake", *options])
            print(f"{command:16} {wall_s:8.1f} {peak_mb:8.0f}  {said}")


if __name__ == "__main__":
    main()
