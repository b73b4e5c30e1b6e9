import logging
import os
import subprocess
import time
from pathlib import Path

import pytest

from octflow.core.errors import DataError
from octflow.services.slots import take_slots
from octflow.services.watch.attempts import Attempts
from octflow.services.watch.crew import Crew
from octflow.services.watch.targets import Target
from octflow.workflow.lanes import WatchSettings


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


def test_a_folder_in_that_of_another_user_is_refused(tmp_path):
    strange = Path("/usr")
    if os.getuid() == strange.stat().st_uid:
        strange = tmp_path
        os.chown(strange, 54321, -1)
    with pytest.raises(DataError, match="another user"):
        take_slots(strange / "cores", 1, 1)


class Sleepers(Crew):
    """Lanes that sleep for as many seconds as they have cores, and sixty."""

    def command(self, lane, targets, cores):
        return ["sleep", str(60 + cores)]


def test_a_lane_starts_with_the_cores_that_are_free_and_an_upload_without(tmp_path):
    (tmp_path / "watch").mkdir()
    lanes = {"tile": {"cores": 2}, "stitch": {"cores": 2}, "register": {}, "upload": {"cores": 5}}
    settings = WatchSettings.model_validate({"host_cores": 3, "lanes": lanes})
    attempts = Attempts(settings, now_s=time.time)
    started = Sleepers(tmp_path, tmp_path / "c.yaml", settings, attempts, logging.getLogger("test"))
    started.cores_folder = tmp_path / "cores"
    for lane in lanes:
        started.start(lane, [Target("flag", "1")])
    cores = {
        lane: Path(f"/proc/{child.started.pid}/cmdline").read_text().split("\0")[-2]
        for lane, child in started.running.items()
    }
    started.end(time.monotonic(), lambda: True)
    assert cores == {"tile": "62", "stitch": "61", "upload": "65"}
    assert started.running == {}
