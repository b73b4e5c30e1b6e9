"""A job killed at any instant is finished by the next, with the bytes of one left alone."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from octflow.io.digest import fast_id
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.stages.volume.files import stitch_volume
from octflow.stages.volume.settings import VolumeSettings

from flags import write_flag

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("OCTFLOW_KILLS", "5"))
INSTANTS = np.random.default_rng(4).uniform(0, 1, KILLS).round(3)
"""When a job is killed, as a part of its run time."""
VERSIONS = ["0.5", "0.5", "0.4"]
KILLED = [(float(at), 1 + i % 2, VERSIONS[i % 3]) for i, at in enumerate(INSTANTS)]
NAME = "mosaic_001_R3D.ome.zarr"


@pytest.fixture(scope="module")
def arguments(project, phantom, tmp_path_factory):
    """Arguments of a job that writes some 100 shards."""
    folder = tmp_path_factory.mktemp("killed")
    focus = folder / "focus.nii"
    write_nifti(focus, phantom.pattern(), voxel_size_mm=(0.012, 0.01, 0.0025))
    unit = {"slice": 1, "mosaic": 1, "illumination": "normal"}
    return {
        "processed": project.processed,
        "found": project.found,
        "focused": write_flag(folder / "found", outputs=[product(focus, "focus")], unit=unit),
        "stitched": project.stitched,
        "illumination": project.illumination,
        "grid": [[tile, *place] for tile, place in project.grid.items()],
        "instrument": project.instrument,
        "modality": "R3D",
        "settings": VolumeSettings(
            offset_px=8, depth_px=48, chunk_px=(8, 8, 8), shard_px=(16, 24, 24), mask_volumes=False
        ),
        "threads": 1,
    }


def in_version(arguments, version):
    settings = arguments["settings"].model_copy(update={"ome_zarr": version})
    return arguments | {"settings": settings}


def begun(arguments, folder):
    """Start the job and wait until its program is loaded."""
    folder.mkdir(exist_ok=True)
    places = {"folder": folder, "overview": folder / "overview.jpg"}
    (folder / "arguments").write_bytes(pickle.dumps({**arguments, **places}))
    job = subprocess.Popen(
        [sys.executable, ROOT / "tests/shared/volume_job.py", folder / "arguments"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout.readline() == "begins\n"
    return job


@pytest.fixture(scope="module")
def undisturbed(arguments, tmp_path_factory):
    """Digest of the volume, and seconds, of a job left alone, by version of the format."""
    folder = tmp_path_factory.mktemp("undisturbed")
    found = {}
    for version in ("0.5", "0.4", "0.5"):  # The first may have to compile.
        with begun(in_version(arguments, version), folder / version) as job:
            start = time.perf_counter()
            assert job.stdout.readline() == "ends\n"
            found[version] = fast_id(folder / version / NAME), time.perf_counter() - start
    return found


@pytest.mark.parametrize(("instant", "threads", "version"), KILLED)
def test_a_killed_job_is_finished_with_the_same_bytes(
    arguments, undisturbed, instant, threads, version, tmp_path
):
    expected, seconds = undisturbed[version]
    planned = in_version(arguments, version)
    with begun(planned | {"threads": threads}, tmp_path) as job:
        time.sleep(instant * seconds)
        job.kill()
    stitch_volume(**planned, folder=tmp_path, overview=tmp_path / "overview.jpg")
    assert fast_id(tmp_path / NAME) == expected
    assert list(tmp_path.rglob(".part-*")) == []


def test_a_job_killed_after_its_first_shard_leaves_it_for_the_next(arguments, tmp_path):
    first = f".part-*-{NAME}/0/c/*/*/[0-9]*"
    with begun(arguments, tmp_path) as job:
        while not list(tmp_path.glob(first)):
            assert job.poll() is None
        job.kill()
    kept = [path.stat().st_ino for path in tmp_path.glob(first)]
    stitch_volume(**arguments, folder=tmp_path, overview=tmp_path / "overview.jpg")
    made = {path.stat().st_ino for path in (tmp_path / NAME / "0" / "c").glob("*/*/*")}
    assert kept
    assert made.issuperset(kept)
