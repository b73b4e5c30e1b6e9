import json
import os
from pathlib import Path

import pytest

from octflow.core.errors import DataError
from octflow.io.omezarr import Plan, begin
from octflow.io.records import product
from octflow.stages.upload.dataset import ignored
from octflow.stages.upload.files import upload_dataset, upload_volume
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings

from flags import write_flag


@pytest.fixture
def how(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    target = {"kind": "folder", "folder": str(tmp_path / "disk")}
    settings = UploadSettings.model_validate({"target": target, "names": "bids"})
    return {
        "subject": "I46",
        "folder": Path("dataset"),
        "settings": settings,
        "limits": UploadLimits(),
        "access": UploadAccess(),
    }


def started(*slices):
    return [write_flag(Path(f"{s}.started"), "start_slice", unit={"slice": s}) for s in slices]


def stitched(illumination):
    """Write a volume without voxels, and its flag."""
    path = Path("mosaic_001_dBI.ome.zarr")
    path.mkdir()
    begin(path, Plan((4, 4, 4), (0.01, 0.02, 0.0025), "dBI"))
    unit = {"slice": 1, "mosaic": 1, "illumination": illumination}
    return write_flag(Path("joined"), outputs=[product(path, "dBI")], unit=unit)


def test_samples_are_the_slices_that_have_begun_and_sent_again_with_the_next(how, tmp_path):
    upload_dataset(started=started(1), **how)
    samples = tmp_path / "disk" / "samples.tsv"
    assert samples.read_text().splitlines()[1:] == ["sample-slice001\tsub-I46\ttissue"]
    again = upload_dataset(started=started(1, 2), **how)
    assert (len(samples.read_text().splitlines()), again.qc["files_sent"]) == (3, 1)
    assert upload_dataset(started=started(2, 1), **how).qc["files_sent"] == 0


def test_what_is_not_known_is_said_to_be_so(how, tmp_path):
    upload_dataset(started=started(1), **how)
    lines = (tmp_path / "disk" / "participants.tsv").read_text().splitlines()
    assert lines[1].split("\t") == ["sub-I46", "n/a", "n/a", "n/a"]
    said = json.loads((tmp_path / "disk" / "dataset_description.json").read_text())
    assert (said["Name"], said["DatasetType"], "License" in said) == ("p", "derivative", False)


def test_a_sidecar_goes_with_its_volume_and_is_listed(how, tmp_path):
    outcome = upload_volume(joined=stitched("normal"), validate=False, **how)
    volume, sidecar = (tmp_path / "disk" / asset.path for asset in outcome.assets)
    assert sidecar.name == volume.name.replace(".ome.zarr", ".json")
    assert json.loads(sidecar.read_text())["PixelSize"] == [0.01, 0.02, 0.0025]
    assert [p.path for p in outcome.outputs] == [f"dataset/{outcome.assets[1].path}"]


def test_what_bids_does_not_allow_is_named_and_nothing_is_sent(how, tmp_path):
    if not os.environ.get("CI"):
        pytest.importorskip("dandi")
    with pytest.raises(DataError, match=r"sample-slice001_acq-tilt_eddBI_OCT.*nothing sent"):
        upload_volume(joined=stitched("tilt_ed"), validate=True, **how)
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.parametrize("pattern", ["{illumination}/{slice}_{tile}.gz", "s{slice}-{tile}.gz"])
def test_raw_tiles_in_no_folder_of_their_own_are_ignored_by_their_names(pattern):
    lines = ignored(pattern, "I46")
    assert Path(pattern.format(illumination="a", slice=1, tile=2)).match(lines[1])
    assert len(lines) == 3


@pytest.mark.parametrize("pattern", ["raw/{mosaic}/{tile}.gz", "sub-{subject}/raw/{tile}.gz"])
def test_raw_tiles_in_a_folder_of_their_own_are_ignored_with_it(pattern):
    assert ignored(pattern, "I46")[1:] == [
        pattern[: pattern.index("raw") + 3].format(subject="I46")
    ]
