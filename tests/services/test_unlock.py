import json
import multiprocessing
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict

import pytest

from octflow.services.retire import state_lock
from octflow.services.unlock import unlock
from octflow.services.watch.lock import sole_watcher
from octflow.workflow.alive import join_runs

FORK = multiprocessing.get_context("fork")


@contextmanager
def another(work, *arguments):
    """Run something in another process until the block ends; it says when it has begun."""
    begun = FORK.Event()
    process = FORK.Process(target=work, args=(begun, *arguments))
    process.start()
    begun.wait()
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def run_snakemake(begun, project):
    join_runs(project)
    (project / ".snakemake" / "locks").mkdir()
    (project / ".snakemake" / "locks" / "0.input.lock").write_text("state/a")
    begun.set()
    time.sleep(60)


def hold_state(begun, project):
    with state_lock(project).holding("replay: test"):
        begun.set()
        time.sleep(60)


def watch(begun, project):
    with sole_watcher(project):
        begun.set()
        time.sleep(60)


def found(project, name, **options):
    return next(lock for lock in unlock(project, **options) if lock.name.startswith(name))


def test_nothing_is_locked_in_a_new_project(tmp_path):
    assert {lock.state for lock in unlock(tmp_path)} == {"free"}
    assert list(tmp_path.iterdir()) == []


def test_locks_of_a_snakemake_that_lives_stay_and_its_process_is_named(tmp_path):
    with another(run_snakemake, tmp_path) as process:
        lock = found(tmp_path, "Snakemake")
        assert (lock.state, lock.is_refused) == ("alive", True)
        assert str(process.pid) in lock.holder
        assert list(tmp_path.glob(".snakemake/locks/*.lock"))
        assert found(tmp_path, "Snakemake", force=True).removed
    assert not list(tmp_path.glob(".snakemake/locks/*.lock"))


def test_locks_of_a_killed_snakemake_are_taken_away(tmp_path):
    with another(run_snakemake, tmp_path):
        pass
    lock = found(tmp_path, "Snakemake")
    assert (lock.state, lock.removed) == ("left", True)
    assert not list(tmp_path.glob(".snakemake/locks/*.lock"))


def test_the_lock_of_a_process_that_lives_stays_unless_forced(tmp_path):
    with another(hold_state, tmp_path) as process:
        lock = found(tmp_path, "the state")
        assert (lock.state, lock.is_refused) == ("alive", True)
        assert f"process {process.pid} on " in lock.holder
        assert "(replay: test)" in lock.holder
        assert found(tmp_path, "the state", force=True).removed
        assert state_lock(tmp_path).holder() is None


def test_the_lock_of_a_killed_process_is_taken_away(tmp_path):
    with another(hold_state, tmp_path):
        pass
    assert found(tmp_path, "the state").removed
    assert found(tmp_path, "the state").state == "free"


def test_of_another_host_nothing_is_known_so_that_it_is_refused(tmp_path):
    lock = state_lock(tmp_path)
    with lock.holding("mark"):
        elsewhere = asdict(lock.holder()) | {"host": "auxiliary", "place": "elsewhere"}
    (lock.folder / "lock-00000002").write_text(json.dumps(elsewhere))
    told = found(tmp_path, "the state")
    assert (told.state, told.is_refused) == ("unknown", True)
    assert "on auxiliary" in told.holder


@pytest.mark.parametrize("force", [False, True])
def test_a_watcher_is_named_and_left_alone(tmp_path, force):
    with another(watch, tmp_path) as process:
        lock = found(tmp_path, "the watcher", force=force)
        assert (lock.state, lock.removed) == ("alive", False)
        assert f"process {process.pid} on " in lock.holder
        assert lock.advice == "ends with it"
    assert found(tmp_path, "the watcher").state == "free"
