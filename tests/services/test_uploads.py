import json

import pytest
import yaml

from octflow.cli.main import main
from octflow.core.errors import SettingsError
from octflow.core.layout import flag
from octflow.io.records import product, read_record
from octflow.services.uploads import File, peek_uploads
from octflow.services.uploads_text import lines_of
from octflow.workflow.config import read_config
from octflow.workflow.session import Session

from flags import write_flag

UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}
MAP = "mosaic-001/stitched/mosaic_001_aip.nii"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A slice of one mosaic, one map of which is stitched; maps and volumes go to a folder."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mosaic_001_image_0001_spectral_0000.nii").write_bytes(b"1234")
    (tmp_path / "project" / MAP).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    stitch("1234")
    return tmp_path


def stitch(content):
    """Write the map anew, and its flag."""
    path = flag("stitch_enface", mosaic=1).parents[1] / "stitched" / "mosaic_001_aip.nii"
    path.write_text(content)
    return write_flag(flag("stitch_enface", mosaic=1), outputs=[product(path, "aip")], unit=UNIT)


def upload(stitched):
    """Write the flag of an upload of the map."""
    record = read_record(stitched)
    read = {"id": record.record_id, "path": str(stitched), "bytes": 1, "role": "record"}
    asset = {"id": "a", "path": f"p/{MAP}", "digest": "x", "bytes": 4, "url": ""}
    write_flag(flag("upload_mosaic", mosaic=1), inputs=[read], assets=[asset], unit=UNIT)


def values(folder, **upload):
    target = {"kind": "folder", "folder": "/archive"}
    return {
        "project": {"folder": str(folder / "project")},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {
            "grid_size_y": 1,
            "illuminations": [{"name": "normal", "grid_size_x": 1}],
        },
        "upload": {"target": target, "levels": ["mosaic", "volume"], **upload},
    }


def uploads(folder, **sections):
    return list(peek_uploads(Session(read_config(values(folder, **sections)), folder)))


def states(found):
    return {one.job: one.state for one in found}


def test_what_is_made_is_to_be_sent_and_what_is_not_has_no_size(project):
    to_send, unmade = uploads(project)
    assert states([to_send, unmade]) == {
        "upload_mosaic mosaic 1": "to send",
        "upload_volume mosaic 1": "not made yet",
    }
    assert (to_send.files, unmade.files) == ((File(f"p/{MAP}", 4),), ())


def test_what_was_sent_is_to_be_sent_again_once_it_is_made_anew(project):
    upload(stitch("1234"))
    assert states(uploads(project))["upload_mosaic mosaic 1"] == "sent"
    stitch("other")
    first = uploads(project)[0]
    assert (first.state, first.bytes) == ("to send", 5)


def test_files_are_named_as_in_the_archive(project):
    first = uploads(project, names="bids")[1]
    (file,) = first.files
    assert file.path == (
        "derivatives/octflow/sub-demo/sub-demo_sample-slice001_acq-normal_proc-aip_OCT.nii"
    )


def test_the_table_sums_sizes_and_names_files(project):
    lines = list(lines_of(uploads(project), files=True))
    assert lines[1].split() == ["upload_mosaic", "mosaic", "1", "to", "send", "1", "4", "B"]
    assert "sent: 0 (0 files, 0 B); to send: 1 (1 files, 4 B); not made yet: 1" in lines
    assert lines[-1].split() == [f"p/{MAP}", "4", "B"]


def test_the_command_prints_all_as_json(project, capsys):
    path = project / "config.yaml"
    path.write_text(yaml.safe_dump(values(project)))
    with pytest.raises(SystemExit):
        main(["uploads", str(path), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert [(one["state"], one["bytes"]) for one in said] == [("to send", 4), ("not made yet", 0)]


def test_a_project_without_archive_is_told_so(project):
    with pytest.raises(SettingsError, match=r"upload\.target: found nothing"):
        uploads(project, target=None)
