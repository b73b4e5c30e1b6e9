import os

import pytest
import yaml

from octflow.cli.main import main
from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.io.bids_validator import bids_findings
from octflow.io.omezarr import Plan, begin
from octflow.io.records import product
from octflow.services.dandiset import link_dandiset
from octflow.workflow.config import read_config
from octflow.workflow.session import Session

from flags import write_flag

UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}
MICR = "sub-demo/micr/sub-demo_sample-slice001_acq-normaldBI_OCT"
MAP = "derivatives/octflow/sub-demo/sub-demo_sample-slice001_acq-normal_proc-aip_OCT.nii"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A slice of one mosaic, with a map and a volume without voxels; no archive is named."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mosaic_001_image_0001_spectral_0000.nii").write_bytes(b"1234")
    project = tmp_path / "project"
    stitched = project / "mosaic-001" / "stitched"
    (stitched / "v.ome.zarr").mkdir(parents=True)
    monkeypatch.chdir(project)
    stitched = stitched.relative_to(project)
    (stitched / "aip.nii").write_text("a map")
    begin(stitched / "v.ome.zarr", Plan((4, 4, 4), (0.01, 0.01, 0.0025), "dBI"))
    (stitched / "v.ome.zarr" / "extra").write_text("of a larger volume")
    write_flag(flag("start_slice", slice=1), "start_slice", unit={"slice": 1})
    for rule, name, role in (
        ("stitch_enface", "aip.nii", "aip"),
        ("join_volumes", "v.ome.zarr", "dBI"),
    ):
        write_flag(flag(rule, mosaic=1), rule, outputs=[product(stitched / name, role)], unit=UNIT)
    return tmp_path


def values(folder):
    return {
        "project": {"folder": str(folder / "project")},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {
            "grid_size_y": 1,
            "illuminations": [{"name": "normal", "grid_size_x": 1}],
        },
    }


def link(folder):
    return link_dandiset(Session(read_config(values(folder)), folder), folder / "000052")


def test_products_lie_there_as_links_to_files_and_nothing_twice(project):
    made = link(project).made
    files = [path for path in (project / "000052").rglob("*") if not path.is_dir()]
    assert len(files) == made
    assert all(path.is_symlink() and path.resolve().is_file() for path in files)
    assert (project / "000052" / MAP).resolve().name == "aip.nii"
    assert (project / "000052" / f"{MICR}.ome.zarr").is_symlink() is False


def test_the_validator_of_bids_finds_nothing_wrong_with_it(project):
    if not os.environ.get("CI"):
        pytest.importorskip("dandi")
    link(project)
    assert bids_findings(project / "000052") == []


def test_again_it_changes_what_has_changed_alone(project):
    made = link(project).made
    (project / "project/mosaic-001/stitched/v.ome.zarr/extra").unlink()
    (project / "000052" / MAP).unlink()
    (project / "000052" / "notes.txt").write_text("of somebody")
    again = link(project)
    assert (again.made, again.kept) == (1, made - 2)
    assert not (project / "000052" / f"{MICR}.ome.zarr" / "extra").is_symlink()
    assert (project / "000052" / "notes.txt").exists()


def test_a_file_in_the_way_is_named_and_left(project):
    (project / "000052" / MAP).parent.mkdir(parents=True)
    (project / "000052" / MAP).write_text("of somebody")
    with pytest.raises(DataError, match=r"proc-aip_OCT.nii: found a file, expected a link"):
        link(project)
    assert (project / "000052" / MAP).read_text() == "of somebody"


def test_the_command_says_what_it_has_linked(project, capsys):
    (project / "config.yaml").write_text(yaml.safe_dump(values(project)))
    with pytest.raises(SystemExit):
        main(["dandiset", str(project / "config.yaml"), str(project / "000052")])
    assert "links made, 0 kept" in capsys.readouterr().out
