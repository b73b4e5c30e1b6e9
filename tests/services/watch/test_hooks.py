import logging
import threading
import time
from pathlib import Path

import pytest

from octflow.services.watch.hooks import Hooks
from octflow.services.watch.journal import Once
from octflow.workflow.lanes import WatchSettings

log = logging.getLogger("octflow.test")


@pytest.fixture
def hooks(caplog):
    caplog.set_level("INFO")

    def of(*commands, timeout_s=5.0, stop=None):
        settings = WatchSettings(before_scan=commands, before_scan_timeout_s=timeout_s)
        return Hooks(settings, Once(log), stop or threading.Event())

    return of


def test_hooks_run_in_their_order_before_every_look(hooks, tmp_path):
    add = [("sh", "-c", f"echo {word} >> {tmp_path}/said") for word in ("mount", "check")]
    both = hooks(*add)
    both.run()
    both.run()
    assert (tmp_path / "said").read_text().split() == ["mount", "check"] * 2


def test_a_hook_that_fails_is_told_once_with_its_words_and_holds_up_no_other(
    hooks, tmp_path, caplog
):
    bad = ("sh", "-c", f"test -e {tmp_path}/ok || {{ echo no such share >&2; exit 32; }}")
    both = hooks(bad, ("touch", f"{tmp_path}/after"))
    both.run()
    both.run()
    assert (tmp_path / "after").exists()
    [message] = caplog.messages
    assert message.endswith(": exit status 32: no such share")
    (tmp_path / "ok").touch()
    both.run()
    assert ": no longer so: exit status 32" in caplog.messages[1]


def test_a_hook_that_is_cut_short_by_the_end_of_the_watcher_is_no_failure(hooks, caplog):
    ending = threading.Event()
    ending.set()
    hooks(("sleep", "60"), stop=ending).run()
    assert caplog.messages == []


def test_a_hook_that_is_no_program_is_told(hooks, caplog):
    hooks(("/not/there",)).run()
    assert caplog.messages == [
        "before_scan: /not/there: found No such file or directory, expected a program"
    ]


def test_a_hook_that_hangs_is_killed_with_what_it_has_started(hooks, tmp_path, caplog):
    hang = ("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    began_s = time.monotonic()
    hooks(hang, timeout_s=0.5).run()
    assert time.monotonic() - began_s < 5
    assert caplog.messages[0].endswith(": no end after 0.5 s: killed")
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    time.sleep(0.2)
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_end_of_the_watcher_does_not_wait_for_a_hook(hooks):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began_s = time.monotonic()
    hooks(("sleep", "60"), timeout_s=60, stop=stop).run()
    assert time.monotonic() - began_s < 5
