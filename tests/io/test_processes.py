import os
import subprocess

from octflow.io.processes import ticks_of


def test_a_process_has_the_time_of_its_start_while_it_runs():
    assert ticks_of(os.getpid()) > 0


def test_one_that_was_killed_and_not_yet_collected_is_no_process():
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ticks_of(process.pid) == 0
