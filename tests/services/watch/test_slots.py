import os
import subprocess

from octflow.services.watch.slots import take_slots


def test_what_is_free_is_taken_up_to_what_is_wanted(tmp_path):
    counts = [len(take_slots(tmp_path, wanted, 4)) for wanted in (1, 2, 3, 1)]
    assert counts == [1, 2, 1, 0]


def test_a_core_is_free_when_the_process_that_computes_has_ended_not_who_started_it(tmp_path):
    taken = take_slots(tmp_path, 2, 2)
    process = subprocess.Popen(["sleep", "60"], pass_fds=taken)
    for descriptor in taken:
        os.close(descriptor)
    assert take_slots(tmp_path, 1, 2) == []
    process.kill()
    process.wait()
    assert len(take_slots(tmp_path, 2, 2)) == 2
