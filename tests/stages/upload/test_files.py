import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from octflow.core.errors import DataError, SettingsError
from octflow.io.digest import fast_id
from octflow.io.records import product, read_record
from octflow.stages.upload.files import upload_batch, upload_mosaic, upload_slice, upload_volume
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings

from archive_server import DANDISET, KEY, archive_server
from flags import write_flag

PLAIN = {"folder": Path("dataset"), "validate": False}
UNIT = {"slice": 1, "mosaic": 2, "illumination": "normal"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one file and one volume, each listed in a flag; an archive beside it."""
    (tmp_path / "project" / "stitched").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def how(project):
    target = {"kind": "folder", "folder": str(project.parent / "disk")}
    settings = UploadSettings.model_validate({"target": target})
    return {
        "subject": "S1",
        "settings": settings,
        "limits": UploadLimits(),
        "access": UploadAccess(),
    }


def flag(project, *names):
    """Write files, those with a suffix .zarr as folders, and the flag that lists them."""
    outputs = []
    for name in names:
        path = (project / "stitched" / name).relative_to(project)
        (path if path.suffix == ".zarr" else path.parent).mkdir(exist_ok=True)
        (path / "zarr.json" if path.is_dir() else path).write_text(f"content of {name}")
        outputs.append(product(path, path.stem))
    path = project / f"{names[0]}.flag"
    return write_flag(path.relative_to(project), outputs=outputs, unit=UNIT)


def test_all_that_a_flag_lists_is_in_the_archive_with_its_digest(project, how):
    stitched = flag(project, "aip.nii", "enface.jpg")
    outcome = upload_mosaic(stitched=stitched, **how)
    listed = read_record(stitched).outputs
    assert [(a.path, a.digest) for a in outcome.assets] == [(f"p/{p.path}", p.id) for p in listed]
    assert all(fast_id(project.parent / "disk" / a.path) == a.digest for a in outcome.assets)
    assert outcome.qc["files_sent"] == 2


def test_volumes_are_folders_in_the_archive(project, how):
    outcome = upload_volume(joined=flag(project, "dBI.ome.zarr"), **how, **PLAIN)
    assert (project.parent / "disk/p/stitched/dBI.ome.zarr/zarr.json").is_file()
    assert outcome.qc == {
        "assets": 1,
        "asset_bytes": len("content of dBI.ome.zarr"),
        "files_sent": 1,
        "bytes_sent": len("content of dBI.ome.zarr"),
    }


def test_a_slice_is_sent_with_its_volumes(project, how):
    flags = flag(project, "axis.nii"), flag(project, "dBI.ome.zarr")
    outcome = upload_slice(registered=flags[0], volumes=[flags[1]], **how, **PLAIN)
    assert [a.path for a in outcome.assets] == [
        "p/stitched/axis.nii",
        "p/stitched/dBI.ome.zarr",
    ]


def test_what_is_there_already_is_not_sent_again(project, how):
    archived = flag(project, "tile.nii.gz")
    first = upload_batch(archived=archived, **how)
    second = upload_batch(archived=archived, **how)
    assert (second.assets, second.qc["bytes_sent"]) == (first.assets, 0)


def test_a_batch_archived_with_another_mosaic_has_nothing_to_send(project, how):
    empty = write_flag(project / "empty.flag", outputs=[])
    assert upload_batch(archived=empty, **how).assets == []


def test_a_product_that_is_gone_is_named_and_nothing_is_sent(project, how):
    stitched = flag(project, "aip.nii", "mip.nii")
    (project / "stitched/mip.nii").unlink()
    with pytest.raises(DataError, match=r"stitched/mip.nii: found no file"):
        upload_mosaic(stitched=stitched, **how)
    assert list((project.parent / "disk").iterdir()) == []


def test_a_path_out_of_the_project_is_refused(project, how):
    outside = product(project.parent / "disk", "x").model_copy(update={"path": "../disk/x"})
    stitched = write_flag(project / "x.flag", outputs=[outside])
    with pytest.raises(DataError, match="found a path out of the project"):
        upload_mosaic(stitched=stitched, **how)


def test_without_a_target_nothing_is_uploaded(project, how):
    how["settings"] = UploadSettings()
    with pytest.raises(SettingsError, match=r"upload\.target: found nothing"):
        upload_mosaic(stitched=flag(project, "aip.nii"), **how)


@pytest.fixture
def to_dandi(how, tmp_path, monkeypatch):
    """Settings of a dandiset on a server of the loopback interface; its key is in a file."""
    if not os.environ.get("CI"):
        pytest.importorskip("dandi")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(KEY)
    with archive_server() as server:
        target = {"kind": "dandi", "instance": server.api, "dandiset": DANDISET}
        settings = UploadSettings.model_validate({"target": target})
        access = UploadAccess(key_file=str(key))
        limits = UploadLimits(attempts=1, megabytes_per_s=100)
        yield server, {**how, "settings": settings, "access": access, "limits": limits}


def test_maps_go_to_a_dandiset_and_their_record_has_no_key(project, to_dandi):
    server, how = to_dandi
    outcome = upload_mosaic(stitched=flag(project, "aip.nii"), **how)
    assert server.content("p/stitched/aip.nii") == b"content of aip.nii"
    (asset,) = outcome.assets
    assert (asset.id, asset.url.startswith(server.api)) == (*server.assets, True)
    said = outcome.model_dump_json() + str(how)
    assert KEY not in said


def test_a_file_with_the_key_that_others_can_read_is_refused(project, to_dandi, tmp_path):
    server, how = to_dandi
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(DataError, match="found mode 640"):
        upload_mosaic(stitched=flag(project, "aip.nii"), **how)
    assert server.requests == []


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "dandi", "dandiset": "52"},
        {"kind": "dandi", "dandiset": "000052", "instance": "elsewhere"},
        {"kind": "dandi", "dandiset": "000052", "key": "s3cret"},
        {"kind": "folder", "folder": "relative"},
        {"kind": "tape"},
    ],
)
def test_a_target_that_is_none_is_refused(target):
    with pytest.raises(ValidationError):
        UploadSettings.model_validate({"target": target})
