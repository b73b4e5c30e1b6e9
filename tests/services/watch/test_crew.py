import logging
import time

import pytest

from octflow.services.watch.attempts import Attempts
from octflow.services.watch.crew import Crew
from octflow.services.watch.targets import Target
from octflow.workflow.lanes import WatchSettings


class Idlers(Crew):
    """Lanes that have nothing to do."""

    def command(self, lane, targets, cores):
        return ["true"]


@pytest.fixture
def idlers(tmp_path):
    """A lane that may run for a moment, and has ended before that."""
    (tmp_path / "watch").mkdir()
    lanes = {"tile": {"longest_run_s": 0.2}}
    settings = WatchSettings.model_validate({"lanes": lanes})
    attempts = Attempts(settings, now_s=time.time)
    crew = Idlers(tmp_path, tmp_path / "c.yaml", settings, attempts, logging.getLogger("test"))
    crew.start("tile", [Target("flag", "1")])
    while crew.running["tile"].runs():
        time.sleep(0.02)
    return crew


def test_what_ended_in_time_and_is_seen_late_is_not_said_to_hang(idlers, caplog):
    time.sleep(0.3)
    assert idlers.reap()
    assert not [line for line in caplog.messages if "has run for more" in line]
