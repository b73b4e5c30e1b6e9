import multiprocessing
import os
import subprocess

import pytest

from octflow.io.processes import ticks_of, user

FORK = multiprocessing.get_context("fork")


def test_a_process_has_the_time_of_its_start_while_it_runs():
    assert ticks_of(os.getpid()) > 0


def test_one_that_was_killed_and_not_yet_collected_is_no_process():
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ticks_of(process.pid) == 0


def say_user(said):
    os.setuid(54321)
    said.put(user())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_user_is_told_by_number_where_the_host_has_no_name_for_it(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    said = FORK.SimpleQueue()
    process = FORK.Process(target=say_user, args=(said,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert said.get() == "54321"
