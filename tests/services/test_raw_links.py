import gzip

import pytest
import yaml

from octflow.cli.main import main
from octflow.core.bids import RAW_NAME, Ids, raw_path
from octflow.core.errors import DataError, SettingsError
from octflow.services.raw_links import link_acquisition
from octflow.workflow.config import read_config
from octflow.workflow.session import Session

ROWS = [{"name": "normal", "grid_size_x": 1}, {"name": "tilted", "grid_size_x": 2}]
OWN = "sourcedata/m{mosaic:02d}_{tile}.nii"


def values(folder, raw_name=RAW_NAME, **acquisition):
    return {
        "project": {"folder": str(folder / "project"), "subject": "I46"},
        "acquisition": {"folder": str(folder / "raw"), **acquisition},
        "experiment": {"grid_size_y": 2, "illuminations": ROWS},
        "ingest": {"stable_seconds": 0},
        "upload": {"raw_name": raw_name},
    }


def session_of(folder, *said, **acquisition):
    return Session(read_config(values(folder, *said, **acquisition)), folder)


def deposit(folder, name, content=b"tile"):
    path = folder / "000052" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def tiles(folder, template, *mosaics_and_tiles):
    """Put tiles into the dandiset by a pattern."""
    for mosaic, tile in mosaics_and_tiles:
        light = ("normal", "tilted")[(mosaic - 1) % 2]
        ids = Ids("I46", (mosaic + 1) // 2, mosaic, tile, light)
        deposit(folder, raw_path(template, ids))


def link(folder, *said, **acquisition):
    return link_acquisition(session_of(folder, *said, **acquisition), folder / "000052")


def linked(folder):
    return {path.name: path.resolve().name for path in (folder / "raw").iterdir()}


ALL = [(1, 1), (1, 2), (2, 1), (2, 4), (4, 3)]


@pytest.mark.parametrize("template", [RAW_NAME, OWN, "{subject}/{slice}/{illumination}-{tile}.nii"])
def test_names_tell_ids_and_ids_the_names_of_the_microscope(tmp_path, template):
    tiles(tmp_path, template, *ALL)
    assert link(tmp_path, template).made == len(ALL)
    assert session_of(tmp_path, template).ready.raw_tiles == set(ALL)
    assert all(path.is_symlink() for path in (tmp_path / "raw").iterdir())


def test_again_it_adds_what_has_come_and_counts_from_where_the_microscope_did(tmp_path):
    tiles(tmp_path, OWN, (3, 1))
    assert link(tmp_path, OWN, slice_offset=1).made == 1
    assert linked(tmp_path) == {"mosaic_001_image_0001_spectral_0000.nii": "m03_1.nii"}
    tiles(tmp_path, OWN, (3, 2))
    again = link(tmp_path, OWN, slice_offset=1)
    assert (again.made, again.kept) == (1, 1)
    assert session_of(tmp_path, OWN, slice_offset=1).ready.raw_tiles == {(3, 1), (3, 2)}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rawdata/sub-I46/notes.gz", "found another name, expected one like rawdata"),
        (RAW_NAME.format(subject="I47", slice=1, tile=1, illumination="normal"), "subject I47"),
        (RAW_NAME.format(subject="I46", slice=1, tile=1, illumination="dark"), "tion dark"),
        (RAW_NAME.format(subject="I46", slice=1, tile=3, illumination="normal"), "found tile 3"),
        (RAW_NAME.format(subject="I46", slice=0, tile=1, illumination="normal"), "number 0"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_others_are_linked(tmp_path, name, found):
    tiles(tmp_path, RAW_NAME, (2, 1))
    refused = deposit(tmp_path, name)
    (line,) = link(tmp_path).refused
    assert line.startswith(f"{refused}: found ")
    assert found in line
    assert list(linked(tmp_path)) == ["mosaic_002_image_0001_spectral_0000.nii.gz"]


def test_two_files_of_one_tile_are_one_too_many(tmp_path):
    tiles(tmp_path, OWN, (1, 1))
    other = deposit(tmp_path, "sourcedata/m001_1.nii")
    (line,) = link(tmp_path, OWN).refused
    assert line.startswith(f"{tmp_path}/000052/sourcedata/m01_1.nii: found the tile of {other}")


def test_names_that_contradict_themselves_are_refused(tmp_path):
    both = "raw/{slice}-{mosaic}-{tile}.nii"
    deposit(tmp_path, "raw/2-1-1.nii")
    (line,) = link(tmp_path, both).refused
    assert line.endswith("found mosaic 1 of another, expected slice 1, illumination normal")


def test_content_that_was_not_fetched_is_told(tmp_path):
    deposit(tmp_path, "sourcedata/m01_1.nii").unlink()
    (tmp_path / "000052" / "sourcedata" / "m01_1.nii").symlink_to(".git/annex/objects/x")
    (line,) = link(tmp_path, OWN).refused
    assert line.endswith(
        "found a link to nothing, expected the content of the tile: has it been fetched?"
    )


def test_products_are_no_raw_tiles(tmp_path):
    tiles(tmp_path, RAW_NAME, (1, 1))
    deposit(tmp_path, "derivatives/octflow/sub-I46/sub-I46_sample-slice001_proc-aip_OCT.nii.gz")
    deposit(tmp_path, "rawdata/sub-I46/mosaic-001_batch-001.sha256")
    found = link(tmp_path)
    assert (found.made, found.refused) == (1, [])


def test_complex_tiles_have_to_be_unpacked(tmp_path):
    tiles(tmp_path, RAW_NAME, (1, 1))
    (line,) = link(tmp_path, format="complex").refused
    assert "found a compressed file, expected a complex tile unpacked" in line
    tiles(tmp_path, OWN, (1, 1))
    assert link(tmp_path, OWN, format="complex").made == 1
    assert list(linked(tmp_path)) == ["mosaic_001_image_0001_processed.nii"]


def test_what_no_archive_holds_is_not_promised(tmp_path):
    (tmp_path / "000052").mkdir()
    with pytest.raises(SettingsError, match="found complex_with_spectral, expected spectral"):
        link(tmp_path, format="complex_with_spectral")
    with pytest.raises(DataError, match="000052: found no raw tile, expected names like rawdata"):
        link(tmp_path)


def test_a_tile_of_the_microscope_is_left_alone(tmp_path):
    tiles(tmp_path, OWN, (1, 1))
    (tmp_path / "raw").mkdir()
    there = tmp_path / "raw" / "mosaic_001_image_0001_spectral_0000.nii"
    there.write_bytes(b"of the microscope")
    with pytest.raises(DataError, match="found a file, expected a link to"):
        link(tmp_path, OWN)
    assert there.read_bytes() == b"of the microscope"


def test_the_command_names_what_it_refuses_and_exits_1(tmp_path, capsys):
    tiles(tmp_path, RAW_NAME, (1, 1))
    refused = deposit(tmp_path, "rawdata/a.gz")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values(tmp_path)))
    with pytest.raises(SystemExit) as ended:
        main(["acquisition", str(tmp_path / "config.yaml"), str(tmp_path / "000052")])
    said = capsys.readouterr().out.splitlines()
    assert (ended.value.code, said[0].startswith(f"{refused}: found another name")) == (1, True)
    assert said[1] == f"{tmp_path / 'raw'}: 1 links made, 0 kept"
