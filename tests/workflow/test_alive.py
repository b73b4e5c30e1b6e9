import os
import subprocess
import sys

import pytest

from octflow.workflow.alive import join_runs

CHILD = (
    "import sys, time, pathlib\n"
    "from octflow.workflow.alive import join_runs\n"
    "join_runs(pathlib.Path(sys.argv[1]))\n"
    "print('in', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def other_run(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        yield child
        child.kill()


def test_the_locks_of_a_living_run_are_kept(tmp_path, other_run, lock):
    os.close(join_runs(tmp_path))
    assert lock.exists()
    assert other_run.poll() is None


def test_the_locks_of_a_killed_run_are_removed(tmp_path, other_run, lock):
    other_run.kill()
    other_run.wait()
    os.close(join_runs(tmp_path))
    assert not lock.exists()
