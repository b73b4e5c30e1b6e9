"""The page for people against what a listener is told, across restarts."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from octflow.core.layout import FLAGS, flag
from octflow.services.events.given_up import GivenUp, write_given_up

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/events.md").read_text()
FAILING = ("process_batch", "stitch_enface", "register_slice", "stack_slices")


def column(section, number):
    """The words in code style of a column of the table of a section, row by row."""
    rows = [r for r in PAGE.split(f"## {section}\n")[1].split("\n## ")[0].splitlines() if "|" in r]
    return [re.findall(r"`([^`]+)`", row.split("|")[number]) for row in rows[2:]]


def given_up(target):
    at = {"first_failed_at": "2026-01-01T00:00:00Z", "given_up_at": "2026-01-01T00:10:00Z"}
    log = {"status": 1, "log": "watch/lane-tile.log", "host": "lab"}
    return GivenUp(target=str(target), lane="tile", failures=2, **at, **log)


def succeed(project, rules):
    for rule in rules:
        project.succeed(rule, **project.ids(rule))


def fail(project):
    """Let jobs of every level fail and be given up, and a batch reach a quarter of its mosaic."""
    project.process(1)
    for rule in FAILING:
        project.fail(rule, **project.ids(rule))
    write_given_up(project.folder, [given_up(flag(rule, **project.ids(rule))) for rule in FAILING])


def tell_until_killed(project, hook, enough):
    """Start a process that delivers, and kill it when enough has been told."""
    file = project.folder / "c.yaml"
    config = project.config(hook, poll_seconds=0.05)
    file.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)))
    command = [sys.executable, "-m", "octflow.cli", "events", str(file), "--follow"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "no_proxy": "*"}) as running:
        end = time.monotonic() + 30
        while not enough() and time.monotonic() < end:
            time.sleep(0.01)
        running.kill()
    assert enough()


@pytest.fixture(params=["restarted", "killed"])
def told(project, server, request):
    """All events that a webhook was told while its process was started three times."""
    hook = {"kind": "webhook", "name": "lab", "url": f"{server.url}hook"}
    server.faults = [500, 500]
    rules = list(FLAGS)
    if request.param == "restarted":
        for some in (rules[:6], rules[6:]):
            succeed(project, some)
            assert project.deliver(hook) == 0
        fail(project)
    else:
        server.delay_s = 0.02
        succeed(project, rules)
        tell_until_killed(project, hook, lambda: len(server.events()) >= 5)
        assert len(server.events()) < len(rules)
        fail(project)
        tell_until_killed(project, hook, lambda: "given_up" in kept(project))
        for retired in [*project.folder.rglob("state/*.*"), *project.folder.rglob("attempt-*")]:
            retired.unlink()
    assert project.deliver(hook) == 0
    return server.events()


def kept(project):
    """The events that the project keeps, as text."""
    return (project.folder / "state/events/events.jsonl").read_text()


def test_a_listener_is_told_every_type_of_the_page_and_no_other(told):
    documented = {f"linc.oct.{name}" for row in column("Catalogue", 1) for name in row}
    assert {event["type"] for event in told} == documented


def test_the_page_names_the_rule_of_every_type():
    rows = PAGE.split("## Catalogue\n")[1].splitlines()
    assert all(any(f"| {rule}" in row for row in rows) for rule in FLAGS)


def test_every_event_that_is_kept_is_told(told, project):
    events = [event for line in kept(project).splitlines() for event in json.loads(line)["events"]]
    assert {event["id"] for event in told} == {event["id"] for event in events}
    assert len(told) <= len(events) + 2


def test_every_event_has_the_payload_of_the_page_and_no_more(told):
    documented = {key for row in column("Payload", 1) for key in row}
    lacks = {"failed": set(), "given_up": set()}
    for event in told:
        kind = event["type"].rsplit(".", 1)[1]
        assert set(event["data"]) == documented - lacks.get(kind, {"error", "again"})


def test_every_event_is_a_cloud_event_with_a_utc_time(told):
    required = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert all(set(event) == required for event in told)
    offsets = {datetime.fromisoformat(event["time"]).utcoffset().total_seconds() for event in told}
    assert offsets == {0}


def test_totals_are_those_of_the_page(told):
    documented = {key for row in column("Payload", 2) for key in row}
    assert {key for event in told for key in event["data"]["totals"]} <= documented
