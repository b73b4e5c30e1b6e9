"""Real runs of Snakemake over simulated acquisitions."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from octflow.core.names import parse_raw_name

ROOT = Path(__file__).parents[2]
VOLUMES = ("dBI", "R3D", "O3D")
NOT_PRODUCTS = {".snakemake", "logs", "benchmarks", "lineage", "state", "records", "watch", "pages"}


def simulate(folder, preset, *options):
    """Run `octflow simulate`, or link to what another module has had simulated in this run."""
    if (shared := _shared(folder, "-".join([preset, *options]))) is None:
        return _simulate(folder, preset, options)
    part = shared.with_name(f"{shared.name}.part")
    with shared.with_name(f"{shared.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            _simulate(part, preset, options)
            part.rename(shared)
    shutil.copytree(shared, folder, copy_function=os.link)
    config = yaml.safe_load((shared / "config.yaml").read_text().replace(str(part), str(folder)))
    config["project"]["name"] = folder.name
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


def _simulate(folder, preset, options):
    wanted = ["--preset", preset, *options]
    command = [sys.executable, "-m", "octflow.cli", "simulate", str(folder), *wanted]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder


def _shared(folder, name):
    """Where the workers of a run share a simulation; None where there are no workers."""
    for path in folder.parents:
        if path.name.startswith("popen-gw"):
            (path.parent / "simulated").mkdir(exist_ok=True)
            return path.parent / "simulated" / name
    return None


def smallest(folder, *options, slices=1, tiles=1):
    """Simulate slices in two illuminations, each of one tile, or of two in a column."""
    simulate(folder, "tiny", "--slices", str(slices), *options)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["experiment"]["grid_size_y"] = tiles
    for row in config["experiment"]["illuminations"]:
        row["grid_size_x"] = 1
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for path in (folder / "raw").iterdir():
        if parse_raw_name(path.name).tile > tiles:
            path.unlink()
    return folder


def acquisition(simulated, folder, *, archive=False, volumes=()):
    """Make a folder like `simulated` with links to its raw tiles, for a project of its own.

    The archive of random numbers takes long, and is asked for where it is tested; so are
    volumes.
    """
    folder.mkdir()
    (folder / "raw").mkdir()
    for path in (simulated / "raw").iterdir():
        os.link(path, folder / "raw" / path.name)
    shutil.copy(simulated / "dispersion.dat", folder)
    text = (simulated / "config.yaml").read_text().replace(str(simulated), str(folder))
    config = yaml.safe_load(text)
    config["archive"] = {"enabled": archive}
    config.setdefault("volume", {})["modalities"] = list(volumes)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def command(folder, *options, cores=1):
    """Targets go before --configfile, which takes all that follows it."""
    config = str(folder / "config.yaml")
    parts = [sys.executable, "-m", "snakemake", "--cores", str(cores), *options]
    return [*parts, "--configfile", config]


def snakemake(folder, *options, cores=1, before=()):
    """Run Snakemake to its end; return the exit status and everything it said."""
    done = subprocess.run(
        [*before, *command(folder, *options, cores=cores)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def by_profile(profile, folder, *options):
    """Return the command that runs Snakemake with a profile of the repository."""
    parts = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "profiles" / profile)]
    return [*parts, *options, "--configfile", str(folder / "config.yaml")]


def _hear_interrupts():
    """Take SIGINT as of a terminal: what a shell starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(arguments, said, environment):
    """Start a command in the repository; what it says goes to a file."""
    with said.open("w") as out:
        run = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            preexec_fn=_hear_interrupts,
        )
    try:
        yield run
    finally:
        run.terminate()
        run.wait()


def mount(*arguments):
    """Mount, which only a superuser may; in CI there is one."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"no right to mount: {done.stderr}")
    assert done.returncode == 0, done.stderr


def products(folder):
    """Digest every product of a project: all files but records, logs and Snakemake's own."""
    project = folder / "project"
    files = (p for p in project.rglob("*") if p.is_file())
    kept = (p for p in files if not NOT_PRODUCTS & set(p.relative_to(project).parts))
    return {
        str(p.relative_to(project)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(kept)
    }


def flags(folder):
    """All flags of a project."""
    found = (p for p in (folder / "project").rglob("state/*") if p.suffix not in {".json"})
    return sorted(found)
