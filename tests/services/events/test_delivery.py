import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from octflow.core.errors import DataError, SettingsError
from octflow.io.secret import read_secret
from octflow.services.events.service import Events, follow

ROOT = Path(__file__).parents[3]


def hook(server, name="lab", **changes):
    return {"kind": "webhook", "name": name, "url": f"{server.url}hook", **changes}


def until(said, seconds=20.0):
    end = time.monotonic() + seconds
    while not said() and time.monotonic() < end:
        time.sleep(0.02)
    return said()


def test_every_event_is_delivered_once_across_restarts(project, server):
    project.process(1)
    assert project.deliver(hook(server)) == 0
    project.process(2)
    assert project.deliver(hook(server)) == 0
    types = [event["type"].split(".", 2)[2] for event in server.events()]
    assert types == ["batch.processed", "mosaic.progressed"] * 2


def test_a_server_that_fails_three_times_is_asked_a_fourth(project, server):
    project.succeed("start_slice", slice=1)
    server.faults = [500, 503, 302]
    assert project.deliver(hook(server)) == 0
    assert [event["subject"] for event in server.events()] == ["slice-001"]
    assert server.came_to("/elsewhere") == []


def test_what_a_dead_server_did_not_take_is_delivered_by_the_next_run(project, server):
    for slice_id in (1, 2):
        project.succeed("start_slice", slice=slice_id)
    server.faults = [500] * 4
    assert project.deliver(hook(server), attempts=2) == 2
    assert server.events() == []
    assert project.deliver(hook(server), attempts=2) == 0
    assert sorted(e["subject"] for e in server.events()) == ["slice-001", "slice-002"]


def test_the_order_of_a_unit_is_kept_while_others_go_ahead(project, server):
    project.succeed("start_batch", slice=1, mosaic=1, batch=1)
    project.process(1)
    project.succeed("start_slice", slice=1)
    server.faults = [500]
    waits = {"first_wait_s": 1, "max_wait_s": 1}
    assert project.deliver(hook(server, types=["*.started", "*.processed"], **waits)) == 0
    order = [(e["subject"], e["type"].rsplit(".", 1)[1]) for e in server.events()]
    batch = [word for subject, word in order if subject == "mosaic-001/batch-001"]
    assert batch == ["started", "processed"]
    assert order[0] == ("slice-001", "started")


def test_a_hanging_listener_does_not_delay_another(project, server):
    for slice_id in range(1, 6):
        project.succeed("start_slice", slice=slice_id)
    end = project.folder / "end"
    hang = ["sh", "-c", f"while [ ! -e {end} ]; do sleep 0.05; done"]
    slow = {"kind": "command", "name": "slow", "command": hang, "timeout_s": 60}
    with Events(project.config(slow, hook(server)), project.folder) as events:
        events.scan()
        events.start()
        try:
            assert until(lambda: len(server.events()) == 5)
            assert until(lambda: events.left == 5)
        finally:
            end.touch()


def test_a_hanging_reply_is_given_up_and_asked_for_again(project, server):
    project.succeed("start_slice", slice=1)
    server.faults = ["hang"]
    started = time.monotonic()
    assert project.deliver(hook(server, timeout_s=0.3)) == 0
    assert time.monotonic() - started < server.hang_s
    assert len(server.events()) == 1


def test_a_delivery_is_signed_with_the_secret(project, server, monkeypatch):
    monkeypatch.setenv("LAB_SECRET", "s3cret")
    project.succeed("start_slice", slice=1)
    project.deliver(hook(server, secret_env="LAB_SECRET"))
    (request,) = server.came_to("/hook")
    expected = hmac.new(b"s3cret", request["body"], hashlib.sha256).hexdigest()
    assert request["headers"]["X-Octflow-Signature-256"] == f"sha256={expected}"
    assert request["headers"]["Idempotency-Key"] == json.loads(request["body"])["id"]
    kept = b"".join(p.read_bytes() for p in project.folder.rglob("*") if p.is_file())
    assert b"s3cret" not in kept


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(tmp_path, mode):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    file.chmod(mode)
    with pytest.raises(DataError, match=f"found mode {mode:o}, expected 600") as caught:
        read_secret(None, str(file))
    assert "s3cret" not in str(caught.value)
    file.chmod(0o600)
    assert read_secret("UNUSED", str(file)) == "s3cret"


def test_a_secret_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match="NOT_THERE: found nothing"):
        read_secret("NOT_THERE", None)


def test_what_was_taken_and_cannot_be_noted_is_noted_later_and_not_sent_again(project, server):
    project.succeed("start_slice", slice=1)
    taken = project.folder / "state" / "events" / "lab.taken"
    with Events(project.config(hook(server)), project.folder) as events:
        events.scan()
        taken.mkdir()  # Cannot be written, as of a full disk.
        assert events.deliver() == 1
        taken.rmdir()
        assert events.deliver() == 0
    assert len(server.events()) == 1
    assert project.deliver(hook(server)) == 0
    assert len(server.events()) == 1


def test_what_a_sender_does_not_expect_is_a_failure_like_any_other(project, caplog):
    project.succeed("start_slice", slice=1)
    command = {"kind": "command", "name": "run", "command": ["a\0b"]}
    assert project.deliver(command) == 1
    assert "not taken: ValueError; attempt 1" in caplog.text


def test_a_command_gets_the_event_and_its_variables(project):
    project.succeed("start_slice", slice=1)
    script = 'cat > "$TO/body"; echo "$OCTFLOW_EVENT_TYPE $OCTFLOW_EVENT_SUBJECT" > "$TO/said"'
    listener = {"kind": "command", "name": "run", "command": ["sh", "-c", script]}
    environment = {"TO": str(project.folder)}
    assert project.deliver({**listener, "environment": environment}) == 0
    assert json.loads((project.folder / "body").read_text())["subject"] == "slice-001"
    assert (project.folder / "said").read_text() == "linc.oct.slice.started slice-001\n"


def test_a_command_that_fails_or_is_not_there_acknowledges_nothing(project):
    project.succeed("start_slice", slice=1)
    for command in (["false"], ["/not/there"]):
        listener = {"kind": "command", "name": "run", "command": command}
        assert project.deliver(listener, attempts=2) == 1


def test_only_asked_types_are_told_and_a_switched_off_listener_nothing(project, server):
    project.process(1)
    project.succeed("stitch_enface", slice=1, mosaic=1)
    off = hook(server, "off", enabled=False)
    project.deliver(hook(server, types=["linc.oct.mosaic.stitched"]), off)
    assert [event["type"] for event in server.events()] == ["linc.oct.mosaic.stitched"]


def test_a_second_process_is_refused_in_words(project):
    file = project.folder / "c.yaml"
    file.write_text(yaml.safe_dump({"project": {"folder": str(project.folder)}}))
    command = [sys.executable, "-m", "octflow.cli", "events", str(file)]
    with Events(project.config(), project.folder):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"octflow: {project.folder}/state/events/lock: found another")
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def test_following_tells_what_happens_meanwhile(project, server):
    stopped = threading.Event()
    with Events(project.config(hook(server), poll_seconds=0.05), project.folder) as events:
        follower = threading.Thread(target=follow, args=(events, stopped))
        follower.start()
        for batch in (1, 2, 3):
            project.process(batch)
            assert until(lambda n=batch: len(server.events()) == 2 * n)
        stopped.set()
        follower.join()


def test_nothing_is_lost_when_the_process_is_killed_again_and_again(project, server):
    for slice_id in range(1, 31):
        project.succeed("start_slice", slice=slice_id)
    file = project.folder / "c.yaml"
    config = project.config(hook(server), poll_seconds=0.05)
    file.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)))
    command = [sys.executable, "-m", "octflow.cli", "events", str(file), "--follow"]
    server.delay_s = 0.02
    for enough in (3, 12, 21):
        running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "no_proxy": "*"})
        assert until(lambda n=enough: len(server.events()) >= n)
        running.kill()
        running.wait()
        assert len(server.events()) < 30
    assert project.deliver(hook(server)) == 0
    ids = [event["id"] for event in server.events()]
    assert len(set(ids)) == 30
    assert len(ids) <= 33


def test_sigterm_ends_following_at_once(project, server):
    project.succeed("start_slice", slice=1)
    file = project.folder / "c.yaml"
    config = project.config(hook(server), poll_seconds=60)
    file.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)))
    command = [sys.executable, "-m", "octflow.cli", "events", str(file), "--follow"]
    running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "no_proxy": "*"})
    assert until(lambda: server.events())
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
