"""The archive in real runs: raw bytes read once, never in the way, never made anew for nothing."""

import shutil

import pytest
import yaml

from octflow.core.layout import flag
from octflow.io.digest import fast_id
from octflow.io.records import read_record

import runs
from acquisition import octflow

pytestmark = pytest.mark.slow

CONVERTED, PROCESSED, ARCHIVED, UPLOADED = (
    str(flag(rule, mosaic=1, batch=1))
    for rule in ("convert_batch", "process_batch", "archive_batch", "upload_batch")
)
OTHER = str(flag("archive_batch", mosaic=1, batch=2))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return runs.simulate(tmp_path_factory.mktemp("simulated") / "tiny", "tiny")


def configure(folder, **sections):
    """Replace sections of the configuration."""
    config = yaml.safe_load((folder / "config.yaml").read_text()) | sections
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def folder(simulated, tmp_path_factory):
    """A project that archives while it reads; one batch is archived."""
    folder = runs.acquisition(simulated, tmp_path_factory.mktemp("along") / "tiny", archive=True)
    status, said = runs.snakemake(folder, ARCHIVED)
    assert status == 0, said
    return folder


def record(folder, path):
    return read_record(folder / "project" / path)


def test_the_archive_reads_no_raw_byte_again(folder):
    qc = record(folder, ARCHIVED).qc
    assert qc["raw_bytes_read_here"] == 0
    assert qc["raw_bytes_archived"] == sum(p.stat().st_size for p in raw_of_batch(folder))


def raw_of_batch(folder):
    return sorted((folder / "raw").glob("mosaic_001_image_000[12]_*"))


def test_the_archive_says_which_job_read_for_it(folder):
    flags = [p.path for p in record(folder, ARCHIVED).inputs if p.role == "record"]
    assert CONVERTED in flags


def test_copies_of_spectra_that_are_gone_are_accepted(folder, tmp_path):
    project = runs.acquisition(folder, tmp_path / "gone", archive=True)
    assert runs.snakemake(project, CONVERTED)[0] == 0
    for path in raw_of_batch(project):
        path.unlink()
    status, said = runs.snakemake(project, ARCHIVED)
    assert status == 0, said
    assert record(project, ARCHIVED).tiles.ok == [1, 2]


def test_a_project_is_made_again_from_the_archive_alone(folder, tmp_path):
    """Its compressed tiles become an acquisition folder by their names, and give the same."""
    dandiset, again = tmp_path / "000052", tmp_path / "again"
    assert octflow("dandiset", folder / "config.yaml", dandiset).returncode == 0
    runs.acquisition(folder, again, archive=True)
    shutil.rmtree(again / "raw")
    said = octflow("acquisition", again / "config.yaml", dandiset)
    assert said.stdout == f"{again / 'raw'}: 2 links made, 0 kept\n", said.stderr
    status, told = runs.snakemake(again, ARCHIVED)
    assert status == 0, told
    for path in (CONVERTED, ARCHIVED):
        assert ids(again, path) == ids(folder, path)


def ids(folder, path):
    """Digests of the raw tiles that a job read, and of its products."""
    found = record(folder, path)
    return [p.id for p in found.inputs if p.role == "raw"], [p.id for p in found.outputs]


def plan(folder, **sections):
    """Say what would be done for the archive with sections of the configuration replaced."""
    path = folder / "config.yaml"
    before = path.read_text()
    configure(folder, **sections)
    status, said = runs.snakemake(folder, ARCHIVED, "-n")
    path.write_text(before)
    assert status == 0, said
    return said


@pytest.mark.parametrize(
    "sections",
    [{}, {"archive": {"enabled": True, "while_reading": False}}, {"convert": {"complex": "none"}}],
    ids=["same", "while_reading off", "complex none"],
)
def test_a_finished_archive_is_not_made_anew(folder, sections):
    (folder / "project" / CONVERTED).touch()
    planned = plan(folder, **sections)
    assert "archive_batch" not in planned


def test_other_compression_makes_archives_anew_and_converts_nothing(folder):
    planned = plan(folder, archive={"enabled": True, "level": 5})
    assert "archive_batch" in planned
    assert "convert_batch" not in planned


def test_without_complex_tiles_process_reads_for_the_archive(simulated, tmp_path):
    folder = runs.acquisition(simulated, tmp_path / "tiny", archive=True)
    configure(folder, convert={"complex": "none"})
    status, said = runs.snakemake(folder, ARCHIVED)
    assert status == 0, said
    assert record(folder, ARCHIVED).qc["raw_bytes_read_here"] == 0
    assert (folder / "project" / PROCESSED).exists()


def test_a_conversion_that_fails_does_not_block_the_archive(simulated, tmp_path):
    folder = runs.acquisition(simulated, tmp_path / "tiny", archive=True)
    first = raw_of_batch(folder)[0]
    content = first.read_bytes()[:1000]
    first.unlink()
    first.write_bytes(content)
    configure(folder, convert={"max_failed_tiles": 0})
    for _ in range(2):
        status, said = runs.snakemake(folder, ARCHIVED, CONVERTED)
        assert status == 1, said
    assert record(folder, ARCHIVED).tiles.ok == [1, 2]
    assert not (folder / "project" / CONVERTED).exists()


def test_an_archive_that_fails_is_a_warning_where_the_tiles_are_read(simulated, tmp_path):
    folder = runs.acquisition(simulated, tmp_path / "tiny")
    configure(folder, archive={"enabled": True, "retries": {"attempts": 1}})
    (folder / "project" / "mosaic-001").mkdir(parents=True)
    (folder / "project" / "mosaic-001" / "archived").write_text("in the way")
    status, said = runs.snakemake(folder, ARCHIVED, OTHER, PROCESSED)
    assert status == 1
    assert record(folder, CONVERTED).tiles.ok == [1, 2]
    assert "could not be archived while it was read" in record(folder, CONVERTED).warnings[0]
    assert (folder / "project" / PROCESSED).exists()
    assert not (folder / "project" / ARCHIVED).exists()
    assert "mosaic-001/archived: found file exists" in said


def test_an_archive_that_is_not_mounted_costs_the_upload_alone_and_then_gets_all(folder):
    disk = folder / "disk"
    target = {"kind": "folder", "folder": str(disk)}
    configure(folder, upload={"target": target})
    status, said = runs.snakemake(folder, UPLOADED)
    assert status == 1
    assert f"{disk}: found no folder, expected the archive" in said
    disk.mkdir()
    status, said = runs.snakemake(folder, UPLOADED)
    assert status == 0, said
    listed = {f"tiny/{p.path}": p.id for p in record(folder, ARCHIVED).outputs}
    assert {a.path: fast_id(disk / a.path) for a in record(folder, UPLOADED).assets} == listed
    configure(folder, upload={"target": target, "limits": {"megabytes_per_s": 7}})
    assert "Nothing to be done" in runs.snakemake(folder, UPLOADED)[1]
