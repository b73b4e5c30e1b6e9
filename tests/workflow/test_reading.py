"""Who reads for the archive, and when the archive waits for nobody."""

import json
from types import SimpleNamespace

import pytest

from octflow.core.layout import ARCHIVED, flag
from octflow.core.record import Unit
from octflow.workflow.config import read_config
from octflow.workflow.reading import READERS, reader_of, reader_of_batch
from octflow.workflow.records import lineage_folder
from octflow.workflow.session import open_session


def config(delivery="spectral", complex_tiles="keep", **archive):
    sections = {"acquisition": {"format": delivery}, "convert": {"complex": complex_tiles}}
    return read_config({**sections, "archive": archive})


@pytest.mark.parametrize(
    ("delivery", "complex_tiles", "reader"),
    [
        ("spectral", "keep", "convert_batch"),
        ("spectral_12bit", "temporary", "convert_batch"),
        ("spectral", "none", "process_batch"),
        ("complex", "none", "convert_batch"),
        ("complex_with_spectral", "keep", None),
    ],
)
def test_the_job_that_reads_what_is_archived_archives_it(delivery, complex_tiles, reader):
    assert reader_of(config(delivery, complex_tiles)) == reader


@pytest.mark.parametrize("key", ["enabled", "while_reading"])
def test_nobody_reads_for_an_archive_that_is_switched_off(key):
    assert reader_of(config(**{key: False})) is None


UNIT = Unit(project="p", slice=1, mosaic=1, batch=2, illumination="normal")
FLAGS = {rule: flag(rule, mosaic=1, batch=2) for rule in READERS}


def attempt(project, rule, status, inputs=()):
    """Add an attempt to the lineage."""
    folder = project / lineage_folder(rule, UNIT)
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"path": str(path)} for path in inputs]
    record = {"status": status, "unit": UNIT.model_dump(), "inputs": listed}
    number = len(list(folder.iterdir())) + 1
    (folder / f"attempt-{number:03d}.json").write_text(json.dumps(record))


def test_an_archive_waits_for_the_reader_unless_its_last_attempt_failed(tmp_path):
    found = [reader_of_batch(config(), tmp_path, UNIT)]
    for status in ("failed", "succeeded", "failed"):
        attempt(tmp_path, "convert_batch", status)
        found.append(reader_of_batch(config(), tmp_path, UNIT))
    path = tmp_path / FLAGS["convert_batch"]
    path.parent.mkdir(parents=True)
    path.touch()
    found.append(reader_of_batch(config(), tmp_path, UNIT))
    assert found == ["convert_batch", None, "convert_batch", None, "convert_batch"]


@pytest.mark.parametrize("recorded", [*READERS, None])
def test_an_archive_that_was_made_keeps_the_inputs_it_had(tmp_path, recorded):
    attempt(tmp_path, "archive_batch", "succeeded", [FLAGS[recorded]] if recorded else [])
    attempt(tmp_path, "archive_batch", "failed")
    for settings in (config(), config(complex_tiles="none"), config(while_reading=False)):
        assert reader_of_batch(settings, tmp_path, UNIT) == recorded


def test_an_archive_that_was_made_does_not_wait_for_a_reader_that_fails_now(tmp_path):
    attempt(tmp_path, "archive_batch", "succeeded", [FLAGS["convert_batch"]])
    attempt(tmp_path, "convert_batch", "failed")
    assert reader_of_batch(config(), tmp_path, UNIT) is None


def test_the_reader_is_told_the_folder_that_the_rule_archives_to(tmp_path, rules):
    session = open_session({"project": {"folder": "p"}}, tmp_path)
    ids = {"mosaic": "001", "batch": "002"}
    job = SimpleNamespace(**ids, items=ids.items)
    told = session.archive_along("convert_batch")(job, threads=1)
    (rule,) = (rule for rule in rules if rule.name == "archive_batch")
    assert told["folder"] == rule.params.folder.format(mosaic="001") == ARCHIVED.format(mosaic=1)
    assert told["version"] == session.version("archive")
    assert session.archive_along("process_batch")(job, threads=1) == {}
