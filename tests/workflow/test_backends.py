"""A slice that GNU Octave reconstructs, run by Snakemake; and programs that fail on the way."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import yaml

from octflow.core.backend import BACKEND_STAGES
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.layout import flag
from octflow.core.names import tile_name
from octflow.core.record import Unit
from octflow.io.nifti import read_nifti
from octflow.io.records import read_record
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings
from octflow.workflow.records import lineage_folder

import matlab_programs as programs
import runs
from flags import write_flag
from octave import needs_octave

pytestmark = [pytest.mark.slow, needs_octave]

PROCESSED = [str(flag("process_batch", mosaic=mosaic, batch=1)) for mosaic in (1, 2)]
AXES = {"O3D", "ori"}


def configure(folder, **sections):
    """Change sections of the configuration."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for name, changes in sections.items():
        config[name] = config.get(name, {}) | changes
    path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def octave(tmp_path_factory):
    """A slice of one tile under each of two illuminations, reconstructed by Octave to its end."""
    folder = runs.smallest(tmp_path_factory.mktemp("octave") / "sim")
    (folder / "lab").mkdir()
    shutil.copy(programs.FUNCTIONS / "find_surface.m", folder / "lab")
    configure(
        folder,
        **{stage: {"backend": "octave"} for stage in BACKEND_STAGES},
        matlab={"functions": str(folder / "lab")},
        volume={"modalities": ["dBI"]},
    )
    status, said = runs.snakemake(folder, cores=2)
    assert status == 0, said
    return folder


def record_of(folder, rule, **unit):
    return read_record(folder / "project" / flag(rule, **unit))


@pytest.mark.parametrize("rule", ["convert_batch", "process_batch"])
@pytest.mark.parametrize("mosaic", [1, 2])
def test_records_name_octave_its_version_and_its_functions(octave, rule, mosaic):
    record = record_of(octave, rule, mosaic=mosaic, batch=1)
    assert record.code.backend == "octave"
    assert record.code.backend_version.startswith("GNU Octave ")
    assert record.code.backend_id == record.parameters["settings"]["backend_id"]
    assert record.code.backend_id.startswith("sha256:")
    log = octave / f"project/logs/{rule}/{mosaic:03d}_001.log"
    assert "octave-cli: tile 1 done in" in log.read_text()


def test_the_record_of_a_slice_names_octave_too(octave):
    code = record_of(octave, "register_slice", slice=1).code
    assert (code.backend, code.backend_version[:11]) == ("octave", "GNU Octave ")
    log = octave / "project/logs/register_slice/001.log"
    assert "octave-cli: slice 1 done in" in log.read_text()


def test_all_that_python_makes_of_a_slice_is_made_of_the_tiles_of_octave(octave):
    made = {record["stage"] for record in map(read_plain, runs.flags(octave))}
    assert made >= {"convert", "process", "archive", "stitch", "volume", "register", "stack"}
    assert record_of(octave, "stack_slices").code.backend == "python"
    axes = nib.load(octave / "project" / "registered" / "slice-001_axis3d.nii.gz")
    length = np.linalg.norm(np.asarray(axes.dataobj), axis=-1)
    assert np.mean(np.abs(length - 1) < 1e-5) > 0.3


def read_plain(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def python(octave, tmp_path_factory):
    """The products of the first tile, as Python makes them with what the records say."""
    folder = tmp_path_factory.mktemp("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(octave / "project")
        told, common = parameters_of("convert_batch", ConvertSettings)
        started = flag("start_batch", mosaic=1, batch=1)
        outcome = convert_batch(started=started, folder=folder / "complex", settings=told, **common)
        converted = write_flag(
            folder / "converted",
            "convert_batch",
            parameters={"settings": told.plain()},
            unit={"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"},
            **outcome.model_dump(exclude={"gates"}),
        )
        told, common = parameters_of("process_batch", ProcessSettings)
        overview = folder / "batch.jpg"
        process_batch(
            converted=converted, folder=folder, overview=overview, settings=told, **common
        )
    return folder


def parameters_of(rule, settings):
    """What a job of Octave was told, for Python."""
    told = read_record(flag(rule, mosaic=1, batch=1)).parameters
    common = {
        "illumination": Illumination.model_validate(told["illumination"]),
        "instrument": Instrument.model_validate(told["instrument"]),
        "threads": 1,
    }
    here = {"backend": "python", "backend_id": None}
    return settings.model_validate(told["settings"] | here), common


@pytest.mark.parametrize(
    "name", ["dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref", "surf", "surfraw"]
)
def test_products_are_those_of_python(octave, python, name):
    path = octave / "project" / "mosaic-001" / "processed" / tile_name(1, 1, name)
    found, expected = (np.array(read_nifti(p)) for p in (path, python / tile_name(1, 1, name)))
    off = np.abs(found - expected)
    off = np.minimum(off, 180 - off) if name in AXES else off
    assert found.shape == expected.shape
    assert np.mean(off > 1e-4 * np.abs(expected).max()) <= 5e-3


def test_the_functions_decide_what_is_done_again(octave):
    assert "Nothing to be done" in runs.snakemake(octave, *PROCESSED, "-n")[1]
    with (octave / "lab" / "find_surface.m").open("a") as file:
        file.write("% changed\n")
    _, said = runs.snakemake(octave, *PROCESSED, "-n")
    shutil.copy(programs.FUNCTIONS / "find_surface.m", octave / "lab")
    assert "process_batch" in said
    assert "Params have changed" in said


FAILING = """\
case "$2" in
*mosaic-001*)
    [ -e "{0}/asked" ] || {{ touch "{0}/asked"; echo "License Manager Error -4"; exit 1; }};;
*mosaic-002*)
    echo started >> "{0}/starts"; echo "error: 'no_such' undefined"; exit 1;;
esac
"""


@pytest.fixture(scope="module")
def tried_again(octave):
    """Both mosaics by a stand-in for MATLAB: one has no licence at first, one a defect."""
    before = runs.products(octave)
    matlab = programs.program(
        octave / "bin", "matlab", FAILING.format(octave / "bin") + programs.MATLAB
    )
    configure(
        octave,
        process={"backend": "matlab"},
        matlab={"executable": matlab, "functions": str(octave / "lab")},
    )
    wait = "retry_wait_s=0 if attempt == 1 else 1"
    status, said = runs.snakemake(octave, *PROCESSED, "--retries", "2", "--default-resources", wait)
    return status, said, before


def attempts(folder, mosaic, illumination):
    """What the attempts since the first, which Octave made, ended with."""
    unit = Unit(project="sim", slice=1, mosaic=mosaic, batch=1, illumination=illumination)
    paths = sorted((folder / "project" / lineage_folder("process_batch", unit)).iterdir())
    return [json.loads(path.read_text())["error"] for path in paths][1:]


def test_a_licence_is_waited_for_and_the_products_are_the_same(octave, tried_again):
    _, _, before = tried_again
    first, second = attempts(octave, 1, "normal")
    assert first["kind"] == "transient"
    assert "License Manager Error -4" in first["message"]
    assert second is None
    made = record_of(octave, "process_batch", mosaic=1, batch=1)
    assert made.code.backend == "matlab"
    tiles = "mosaic-001/processed/mosaic_001"
    kept = {name: digest for name, digest in before.items() if name.startswith(tiles)}
    assert kept
    assert kept.items() <= runs.products(octave).items()


def test_a_defect_is_not_run_into_again(octave, tried_again):
    status, said, _ = tried_again
    assert status != 0
    assert "exit status 1; it said: error: 'no_such' undefined" in said
    found = attempts(octave, 2, "tilted")
    assert [error["kind"] for error in found] == ["code"] * 3
    assert ["not tried again" in error["message"] for error in found] == [False, True, True]
    assert (octave / "bin" / "starts").read_text() == "started\n"
