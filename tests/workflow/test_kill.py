"""A run may be killed at any instant and repeated; a run may come before the tiles do."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from octflow.core.layout import FLAGS, job_of
from octflow.io.records import read_record
from octflow.services.project import session_of
from octflow.services.stale import staleness_of
from octflow.workflow.params import Rules

import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return runs.smallest(tmp_path_factory.mktemp("simulated") / "tiny", slices=2, tiles=2)


@pytest.fixture(scope="module")
def half_acquired(simulated, tmp_path_factory):
    """A project whose last mosaic lacks tiles, run; then the tiles, and run again."""
    folder = runs.acquisition(
        simulated, tmp_path_factory.mktemp("half") / "tiny", archive=True, volumes=["dBI"]
    )
    late = sorted((folder / "raw").glob("mosaic_004*"))[1:]
    for path in late:
        path.rename(folder / path.name)
    first = runs.snakemake(folder)
    made = runs.flags(folder)
    for path in late:
        (folder / path.name).rename(path)
    return folder, first, made, runs.snakemake(folder)


@pytest.fixture(scope="module")
def killed(simulated, tmp_path_factory):
    """A project whose runs were killed three times, then left alone."""
    folder = runs.acquisition(
        simulated, tmp_path_factory.mktemp("killed") / "tiny", archive=True, volumes=["dBI"]
    )
    for wanted in (4, 15, 28):
        _run_until_killed(folder, wanted)
    return folder, runs.snakemake(folder)


def _run_until_killed(folder, flags_wanted):
    with subprocess.Popen(
        runs.command(folder),
        cwd=runs.ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        while run.poll() is None and len(runs.flags(folder)) < flags_wanted:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)


def test_a_half_acquired_project_makes_what_can_be_made_and_exits_0(half_acquired):
    _, (status, said), made, _ = half_acquired
    names = [path.name for path in made]
    assert status == 0, said
    assert "slice-001.registered" in names
    assert "mosaic-003.stitched" in names
    assert "project.stacked" in names
    assert "mosaic-004.stitched" not in names
    assert "waiting: mosaic 4 batch 1: tiles [2] have not arrived" in said


def test_late_tiles_complete_the_project(half_acquired):
    folder, _, made, (status, said) = half_acquired
    assert status == 0, said
    assert len(runs.flags(folder)) > len(made)
    assert (folder / "project" / "state" / "slice-002.registered").exists()


def test_a_killed_run_is_finished_by_the_same_command(killed):
    status, said = killed[1]
    assert status == 0, said


def test_the_products_of_killed_runs_are_those_of_an_undisturbed_run(half_acquired, killed):
    expected, found = runs.products(half_acquired[0]), runs.products(killed[0])
    assert set(expected) == set(found)
    assert [name for name in expected if expected[name] != found[name]] == []


def test_raw_tiles_are_archived_in_killed_runs_too(killed):
    copies = list((killed[0] / "project").glob("mosaic-*/archived/*.nii.gz"))
    assert len(copies) == len(list((killed[0] / "raw").iterdir()))
    checked = [sys.executable, "-m", "octflow.cli", "verify", str(killed[0] / "project")]
    done = subprocess.run(checked, cwd=runs.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_half_written_is_left(killed):
    assert list((killed[0] / "project").rglob(".part-*")) == []


def test_every_flag_is_a_record_that_names_outputs_as_they_are(killed, monkeypatch):
    monkeypatch.chdir(killed[0] / "project")
    for path in runs.flags(killed[0]):
        record = read_record(path)
        assert record.status == "succeeded"
        for listed in record.outputs:
            assert os.path.exists(listed.path), listed.path  # noqa: PTH110


def test_raw_tiles_are_untouched(simulated, killed):
    for path in (simulated / "raw").iterdir():
        assert path.stat().st_nlink >= 2
        assert path.stat().st_mtime_ns == (killed[0] / "raw" / path.name).stat().st_mtime_ns


@pytest.fixture(scope="module")
def replayed(killed):
    """The project with one batch made anew; products before, times of flags before, the run."""
    folder = killed[0]
    before = runs.products(folder)
    times_ns = {path: path.stat().st_mtime_ns for path in runs.flags(folder)}
    replay = [sys.executable, "-m", "octflow.cli", "replay", str(folder / "config.yaml")]
    replay += ["--batch", "4/1", "--from", "process", "--yes", "--reason", "a test"]
    subprocess.run(replay, check=True, cwd=runs.ROOT, capture_output=True)
    return before, times_ns, runs.snakemake(folder)


def test_a_replayed_batch_and_all_made_from_it_are_made_anew_and_nothing_else(killed, replayed):
    _, times_ns, (status, said) = replayed
    assert status == 0, said
    anew = {p.name for p, time_ns in times_ns.items() if p.stat().st_mtime_ns > time_ns}
    volumes = {"mosaic-004.dBI_stitched", "mosaic-004.volume_stitched"}
    later = {"slice-002.registered", "project.stacked"}
    assert anew == {"batch-001.processed", "mosaic-004.stitched", *volumes, *later}


def test_a_replayed_region_has_the_same_products(killed, replayed):
    assert runs.products(killed[0]) == replayed[0]


def test_tiles_of_a_replayed_batch_are_worked_on_again(killed, replayed):
    said = (killed[0] / "project/logs/process_batch/004_001.log").read_text()
    assert "done, 2 of 2" in said
    assert "kept" not in said


def test_nothing_that_was_killed_and_replayed_is_stale_until_a_setting_changes(killed, replayed):
    file = killed[0] / "config.yaml"
    found = staleness_of(session_of(file), Rules(file))
    assert (found.stale, found.looked_at) == ((), len(replayed[1]))
    other = killed[0] / "other.yaml"
    config = yaml.safe_load(file.read_text())
    config["register"]["axis_noise_root_dn"] = 0.001
    other.write_text(yaml.safe_dump(config))
    stale = staleness_of(session_of(other), Rules(other)).stale
    assert [one.flag for one in stale] == [f"state/slice-00{n}.registered" for n in (1, 2)]
    assert {d.key for one in stale for d in one.differences} == {"settings.axis_noise_root_dn"}


def test_a_rule_stands_below_those_it_reads_from_in_the_order_of_flags(killed):
    project, rules = killed[0] / "project", list(FLAGS)
    for path in runs.flags(killed[0]):
        if job_of(str(path.relative_to(project))) is None:
            continue
        record = read_record(path)
        read = [job_of(p.path)[0] for p in record.inputs if p.role == "record"]
        assert all(rules.index(rule) < rules.index(record.rule) for rule in read), path
