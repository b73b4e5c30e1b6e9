import itertools
import json
import logging
import threading
import time

import pytest

from octflow.services.events.given_up import FOLDER, GivenUp, write_given_up
from octflow.services.events.service import Events, follow
from octflow.services.watch.companions import Companion, companions_of, delivery, end_all, writing
from octflow.services.watch.lock import sole_watcher

from loopback import loopback

log = logging.getLogger("octflow.test")


@pytest.fixture
def project(tmp_path):
    """A project that a watcher has."""
    with sole_watcher(tmp_path / "project"):
        yield tmp_path / "project"


def until(said, seconds=20.0):
    end = time.monotonic() + seconds
    while not said() and time.monotonic() < end:
        time.sleep(0.01)
    return said()


@pytest.fixture(autouse=True)
def talkative(caplog):
    caplog.set_level("INFO")


def started(work, **waits):
    companion = Companion("pages", work, log, **waits)
    companion.start()
    return companion


def test_a_failure_is_told_once_and_tried_again_until_it_passes(caplog):
    tries = []

    def work(stopped):
        tries.append(time.monotonic())
        if len(tries) < 5:
            raise ValueError("no page")
        stopped.wait()

    companion = started(work, first_wait_s=0.02, longest_wait_s=0.06)
    assert until(lambda: len(tries) == 5)
    end_all([companion], 5, log)
    assert caplog.messages == ["pages: ValueError: no page; tried again until it succeeds"]
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert all(wait >= due for wait, due in zip(waits, (0.02, 0.04, 0.06, 0.06), strict=True))


def test_what_fails_is_tried_a_last_time_at_the_end():
    tries = []

    def work(stopped):
        tries.append(stopped.is_set())
        raise OSError("disk full")

    companion = started(work, first_wait_s=60)
    assert until(lambda: tries)
    companion.stop()
    assert companion.ends_within(5)
    assert tries == [False, True]


def test_one_that_hangs_is_left_and_the_others_end(caplog):
    release, done = threading.Event(), []

    def work(stopped):
        stopped.wait()
        done.append("other")

    both = [started(lambda _: release.wait()), started(work)]
    end_all(both, 0.3, log)
    assert caplog.messages == ["pages: has not ended in time and is left"]
    assert done == ["other"]
    release.set()
    assert both[0].ends_within(5)


def test_without_listeners_nothing_is_delivered(watched_config):
    assert companions_of(watched_config(), "project", log, print) == []


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with loopback() as running:
        yield running


def given_up(**changes):
    told = {
        "target": "mosaic-001/state/batch-001.processed",
        "lane": "tile",
        "failures": 2,
        "first_failed_at": "2026-01-01T00:00:00.000+00:00",
        "given_up_at": "2026-01-01T00:10:00.000+00:00",
        "status": 1,
        "log": "watch/lane-tile.log",
        "host": "lab",
    }
    return GivenUp.model_validate({**told, **changes})


def test_what_happened_last_is_delivered_at_the_end(watched_config, server, project):
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook"}
    (companion,) = companions_of(watched_config(hook, poll_seconds=60), project, log, print)
    companion.start()
    assert until((project / "state" / "events" / "lock").exists)
    time.sleep(0.1)
    write_given_up(project, [given_up()])
    end_all([companion], 5, log)
    (event,) = server.events()
    assert event["type"] == "linc.oct.batch.given_up"
    assert event["subject"] == "mosaic-001/batch-001"
    assert event["data"]["unit"] == {
        "project": "demo",
        "slice": 1,
        "mosaic": 1,
        "batch": 1,
        "illumination": "normal",
    }


def test_a_listener_that_is_dead_does_not_hold_up_the_end(watched_config, server, project):
    server.faults = [500] * 100
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook", "first_wait_s": 60}
    (companion,) = companions_of(watched_config(hook, poll_seconds=0.05), project, log, print)
    write_given_up(project, [given_up()])
    companion.start()
    assert until(lambda: len(server.faults) < 100)
    companion.stop()
    assert companion.ends_within(5)
    assert server.faults == [500] * 99


def test_events_are_left_to_another_process_until_it_ends(
    watched_config, server, project, caplog, holder
):
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook"}
    other = holder(project / "state" / "events" / "lock")
    (companion,) = companions_of(watched_config(hook, poll_seconds=0.05), project, log, print)
    companion.start()
    write_given_up(project, [given_up()])
    time.sleep(0.3)
    assert caplog.messages == ["events: another process delivers them"]
    assert server.events() == []
    other.kill()
    assert until(server.events)
    end_all([companion], 5, log)
    assert len(caplog.messages) == 2  # How many events were found.


def test_a_target_is_told_once_each_time_it_is_given_up(watched_config, server, tmp_path):
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook"}
    with Events(watched_config(hook, poll_seconds=0.01), tmp_path) as events:
        stopped = threading.Event()
        follower = threading.Thread(target=follow, args=(events, stopped))
        follower.start()
        write_given_up(tmp_path, [given_up()])
        assert until(lambda: len(server.events()) == 1)
        write_given_up(tmp_path, [])
        assert list((tmp_path / FOLDER).iterdir()) == []
        write_given_up(tmp_path, [given_up()])
        time.sleep(0.1)
        write_given_up(tmp_path, [given_up(first_failed_at="2026-01-02T00:00:00.000+00:00")])
        assert until(lambda: len(server.events()) == 2)
        stopped.set()
        follower.join()
    assert len(server.events()) == 2


def test_a_file_that_is_no_given_up_target_is_named_and_passed_over(
    watched_config, tmp_path, caplog
):
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "a.json").write_text(json.dumps({"target": "a"}))
    write_given_up(tmp_path / "other", [])
    with Events(watched_config(), tmp_path) as events:
        assert events.scan() == 0
    assert "a.json: found Field required, expected a target that was given up" in caplog.text


def test_an_event_is_not_noted_under_a_mount_point_and_is_delivered_again(
    watched_config, server, project, tmp_path
):
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook"}
    write_given_up(project, [given_up()])
    server.delay_s = 0.5
    (companion,) = companions_of(watched_config(hook, poll_seconds=0.05), project, log, print)
    companion.start()
    assert until((project / "state" / "events" / "events.jsonl").exists)
    project.rename(tmp_path / "away")
    time.sleep(1)
    assert not project.exists()
    (tmp_path / "away").rename(project)
    assert until((project / "state" / "events" / "lab.taken").exists)
    end_all([companion], 10, log)
    assert len({event["id"] for event in server.events()}) == 1


def test_events_are_not_begun_under_a_mount_point(watched_config, tmp_path):
    work = delivery(watched_config(), tmp_path, log)
    with pytest.raises(FileNotFoundError, match="the project is away"):
        work(threading.Event())
    assert list(tmp_path.iterdir()) == []


def test_pages_are_not_written_under_a_mount_point(watched_config, tmp_path):
    ending = threading.Event()
    ending.set()
    with pytest.raises(FileNotFoundError, match="the project is away"):
        writing(watched_config(), tmp_path / "project", 60)(ending)
    assert list(tmp_path.iterdir()) == []
