"""A batch through GNU Octave, run by Snakemake; its functions are part of what decides tiles."""

import shutil

import pytest
import yaml

from octflow.io.records import read_record

import matlab_programs as programs
import runs
from octave import needs_octave

pytestmark = [pytest.mark.slow, needs_octave]

FLAG = "mosaic-001/state/batch-001.processed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = runs.smallest_slice(tmp_path_factory.mktemp("octave") / "sim")
    lab = folder / "lab"
    lab.mkdir()
    shutil.copy(programs.FUNCTIONS / "find_surface.m", lab)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"matlab": {"functions": str(lab)}, "archive": {"enabled": False}}
    for stage in ("convert", "process"):
        config.setdefault(stage, {})["backend"] = "octave"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_a_batch_is_computed_by_octave_and_its_functions_decide_it(folder):
    status, said = runs.snakemake(folder, FLAG)
    assert status == 0, said
    record = read_record(folder / "project" / FLAG)
    assert record.code.backend == "octave"
    assert record.code.backend_version.startswith("GNU Octave ")
    assert record.code.backend_id == record.parameters["settings"]["backend_id"]
    log = folder / "project/logs/process_batch/001_001.log"
    assert "octave-cli: tile 1 done in" in log.read_text()
    _, said = runs.snakemake(folder, FLAG, "-n")
    assert "Nothing to be done" in said
    with (folder / "lab" / "find_surface.m").open("a") as file:
        file.write("% changed\n")
    _, said = runs.snakemake(folder, FLAG, "-n")
    assert "process_batch" in said
    assert "Params have changed" in said
