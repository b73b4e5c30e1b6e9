"""Who reads for the archive, and when the archive waits for nobody."""

import json
from types import SimpleNamespace

import pytest

from octflow.core.layout import ARCHIVED, flag
from octflow.workflow.config import read_config
from octflow.workflow.reading import reader_of, reader_of_batch
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


def attempt(project, status, number):
    folder = project / "lineage/convert_batch/slice-001_mosaic-001_batch-002_illumination-normal"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"attempt-{number:03d}.json").write_text(json.dumps({"status": status}))


def write(path, text="{}"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_archive_waits_for_the_reader_unless_its_last_attempt_failed(tmp_path):
    found = [reader_of_batch(config(), tmp_path, 1, 2)]
    for number, status in enumerate(["failed", "succeeded", "failed"], 1):
        attempt(tmp_path, status, number)
        found.append(reader_of_batch(config(), tmp_path, 1, 2))
    write(tmp_path / flag("convert_batch", mosaic=1, batch=2))
    found.append(reader_of_batch(config(), tmp_path, 1, 2))
    assert found == ["convert_batch", None, "convert_batch", None, "convert_batch"]


@pytest.mark.parametrize("recorded", ["convert_batch", "process_batch", None])
def test_a_finished_archive_keeps_the_inputs_it_had(tmp_path, recorded):
    inputs = [{"path": str(flag(recorded, mosaic=1, batch=2))}] if recorded else []
    path = tmp_path / flag("archive_batch", mosaic=1, batch=2)
    write(path, json.dumps({"inputs": inputs}))
    for settings in (config(), config(complex_tiles="none"), config(while_reading=False)):
        assert reader_of_batch(settings, tmp_path, 1, 2) == recorded


def test_the_reader_is_told_the_folder_that_the_rule_archives_to(tmp_path, rules):
    session = open_session({"project": {"folder": "p"}}, tmp_path)
    job = SimpleNamespace(mosaic="001", batch="002")
    told = session.archive_along("convert_batch")(job, threads=1)
    (rule,) = (rule for rule in rules if rule.name == "archive_batch")
    assert told["folder"] == rule.params.folder.format(mosaic="001") == ARCHIVED.format(mosaic=1)
    assert told["version"] == session.version("archive")
    assert session.archive_along("process_batch")(job, threads=1) == {}
