import json
from pathlib import Path

import pytest
import yaml

from octflow.core.layout import flag, job_of
from octflow.core.record import Outcome
from octflow.io.records import write_record
from octflow.services.parts import unit_of
from octflow.services.project import session_of
from octflow.services.stale import staleness_of
from octflow.services.stale_text import lines_of
from octflow.workflow.params import Rules
from octflow.workflow.records import Attempt

SLICE, MOSAIC = str(flag("start_slice", slice=1)), str(flag("start_mosaic", mosaic=1))
STARTED, COMPLEX, ARCHIVED = (
    str(flag(f"{verb}_batch", mosaic=1, batch=1)) for verb in ("start", "convert", "archive")
)


class Bench:
    """A project whose first batch was begun, converted and archived."""

    def __init__(self, folder):
        self.file, self.project = folder / "config.yaml", folder / "project"
        self.project.mkdir()
        config = {"project": {"folder": str(self.project)}}
        config["acquisition"] = {"folder": str(folder / "raw")}
        self.file.write_text(yaml.safe_dump(config))
        self.session, self.rules = session_of(self.file), Rules(self.file)

    def write(self, path, *read, version=0, **changed):
        rule = job_of(path)[0]
        parameters = self.rules.parameters(path)
        version += parameters.pop("version")
        flags = [Path(name) for name in read]
        unit = unit_of(path, "demo", self.session.config.experiment)
        attempt = Attempt(rule, rule, unit, flags, parameters | changed, version, "tile", 1)
        write_record(Path(path), attempt.succeeded(Outcome(), {}))

    def stale(self):
        found = staleness_of(self.session, self.rules).stale
        return {one.flag: [(d.key, d.was, d.now) for d in one.differences] for one in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("stale"))


@pytest.fixture
def bench(made, monkeypatch):
    monkeypatch.chdir(made.project)
    made.write(SLICE)
    made.write(MOSAIC, SLICE)
    made.write(STARTED, MOSAIC)
    made.write(COMPLEX, STARTED)
    made.write(ARCHIVED, STARTED, COMPLEX)
    return made


def test_what_would_be_made_the_same_is_not_stale(bench):
    assert bench.stale() == {}


def test_a_parameter_is_named_with_what_it_was_and_is(bench):
    settings = bench.rules.parameters(COMPLEX)["settings"]
    bench.write(COMPLEX, STARTED, settings=settings | {"complex": "another"})
    bench.write(ARCHIVED, STARTED, COMPLEX)
    assert bench.stale() == {COMPLEX: [("settings.complex", "another", settings["complex"])]}


def test_a_parameter_that_the_rule_no_longer_has_is_named(bench):
    bench.write(COMPLEX, STARTED, window="hann")
    assert bench.stale() == {COMPLEX: [("window", "hann", "(none)")]}


def test_what_decides_no_product_is_not_compared(bench):
    bench.write(COMPLEX, STARTED, archive={"folder": "elsewhere"})
    assert bench.stale() == {}


def test_another_version_of_the_stage_is_named(bench):
    now = bench.rules.parameters(COMPLEX)["version"]
    bench.write(COMPLEX, STARTED, version=1)
    assert bench.stale() == {COMPLEX: [("stage version", now + 1, now)]}


def test_an_input_that_was_made_anew_or_is_gone_is_named(bench):
    was = json.loads(Path(SLICE).read_bytes())["record_id"]
    bench.write(SLICE)
    now = json.loads(Path(SLICE).read_bytes())["record_id"]
    assert bench.stale() == {MOSAIC: [(SLICE, was, now)]}
    Path(SLICE).unlink()
    assert bench.stale() == {MOSAIC: [(SLICE, was, "(none)")]}


def test_an_archive_is_not_stale_for_tiles_that_were_converted_again(bench):
    bench.write(COMPLEX, STARTED)
    assert bench.stale() == {}


def test_the_text_sums_up_flags_with_the_same_difference(bench):
    for path, read in ((SLICE, []), (MOSAIC, [SLICE])):
        bench.write(path, *read, version=1)
    bench.write(STARTED, MOSAIC)
    bench.write(COMPLEX, STARTED)
    bench.write(ARCHIVED, STARTED, COMPLEX)
    first, _, head, *rows = lines_of(staleness_of(bench.session, bench.rules))
    assert first == "2 of 5 flags would be made otherwise now"
    assert head.split()[:2] == ["rule", "flags"]
    assert [row.split()[:4] for row in rows[:2]] == [
        ["start_slice", "1", SLICE, "stage"],
        ["start_mosaic", "1", MOSAIC, "stage"],
    ]


def test_loading_the_rules_leaves_the_working_folder_as_it_was(bench):
    assert Path.cwd() == bench.project
