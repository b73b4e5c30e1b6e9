"""What a slice that arrives between others has made anew, and what a setting has."""

import re

import pytest
import yaml

import runs

pytestmark = pytest.mark.slow

DONE = (1, 3, 4, 5, 6)
LATE = 2
TARGET = "state/project.stacked"


def acquire(folder, slice_id):
    """One tile under each of two illuminations; planning looks at names alone."""
    (folder / "raw").mkdir(exist_ok=True, parents=True)
    for mosaic in (2 * slice_id - 1, 2 * slice_id):
        (folder / "raw" / f"mosaic_{mosaic:03d}_image_0001_spectral_0001.nii").touch()


def configure(folder, **stack):
    rows = [{"name": "normal", "grid_size_x": 1}]
    rows.append({"name": "tilted", "grid_size_x": 1, "tilt_deg": -15})
    config = {
        "project": {"name": "late", "folder": str(folder / "project")},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {"grid_size_y": 1, "illuminations": rows},
        "ingest": {"stable_seconds": 0},
        "archive": {"enabled": False},
        "volume": {"modalities": ["dBI"]},
        "stack": stack,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def planned(folder):
    """Jobs of stage stack that a run would do."""
    status, said = runs.snakemake(folder, "-n", TARGET)
    assert status == 0, said
    jobs = re.findall(r"Placing slice (\d+)|(Stacking)", said)
    return sorted(int(slice_id) if slice_id else 0 for slice_id, _ in jobs)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose products are empty files, with what Snakemake knows of finished jobs."""
    folder = tmp_path_factory.mktemp("late")
    configure(folder)
    for slice_id in DONE:
        acquire(folder, slice_id)
    status, said = runs.snakemake(folder, "--summary", TARGET)
    assert status == 0, said
    for path in re.findall(r"^(\S+[./]\S+)\t", said, re.MULTILINE):
        (folder / "project" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "project" / path).touch()
    options = ("--touch", "--forceall", "--scheduler", "greedy", TARGET)
    status, said = runs.snakemake(folder, *options, cores=5000)
    assert status == 0, said
    return folder


def test_a_late_slice_touches_the_next_three_only(finished):
    assert planned(finished) == []
    acquire(finished, LATE)
    assert planned(finished) == [0, 2, 3, 4, 5]
    for path in (finished / "raw").glob("mosaic_00[34]_*"):
        path.unlink()


@pytest.mark.parametrize(
    ("stack", "jobs"),
    [
        ({"top_px": 31}, [0]),
        ({"maps": ["aip"]}, [0]),
        ({"search_px": 21}, [0, 3, 4, 5, 6]),
        ({"deform": True}, [0, 3, 4, 5, 6]),
        ({"deform_fade": 0.5}, [0]),
        ({"equalise": ["aip"]}, [0]),
        ({"align": False}, [0, 3, 4, 5, 6]),
        ({"align": False, "equalise": []}, [0]),
        ({"slices": [1, 3, 6]}, [0, 6]),
    ],
)
def test_what_is_written_and_how_slices_are_placed_are_asked_apart(finished, stack, jobs):
    configure(finished, **stack)
    assert planned(finished) == jobs
