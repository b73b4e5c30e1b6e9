import re
import subprocess
import sys
from pathlib import Path

import pytest

from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.layout import flag
from octflow.core.record import Product
from octflow.io.records import product
from octflow.services.verify import checks_of, differences
from octflow.stages.archive.files import archive_batch
from octflow.stages.archive.settings import ArchiveSettings
from octflow.stages.upload.files import upload_mosaic
from octflow.stages.upload.settings import UploadAccess, UploadLimits, UploadSettings

from flags import write_flag


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two archived tiles, a map and a volume of two files."""
    monkeypatch.chdir(tmp_path)
    raw = []
    for tile in (1, 2):
        path = tmp_path / f"raw-{tile}.nii"
        path.write_bytes(bytes([tile]) * 3000)
        raw.append(Product(id="stat:1", path=str(path), bytes=3000, role="raw", tile=tile))
    unit = {"slice": 1, "mosaic": 1, "batch": 1}
    started = write_flag(
        flag("start_batch", mosaic=1, batch=1), "start_batch", unit=unit, inputs=raw
    )
    outcome = archive_batch(
        started=started,
        converted=[],
        processed=[],
        folder=Path("mosaic-001/archived"),
        subject="p",
        illumination=Illumination(name="normal", grid_size_x=1),
        settings=ArchiveSettings(),
        threads=1,
    )
    told = {"inputs": outcome.inputs, "outputs": outcome.outputs, "unit": unit}
    write_flag(flag("archive_batch", mosaic=1, batch=1), "archive_batch", **told)
    Path("aip.nii").write_bytes(b"1234")
    volume = Path("dBI.ome.zarr")
    volume.mkdir()
    (volume / "a").write_bytes(b"12")
    made = [product(Path("aip.nii"), "aip"), product(volume, "dBI")]
    write_flag(flag("stitch_enface", mosaic=1), "stitch_enface", outputs=made)
    return tmp_path


def found(project, **asked):
    return [line for _, line in differences(checks_of(project, **asked), threads=2) if line]


def test_an_untouched_project_has_no_difference(project):
    assert len(checks_of(project)) == 8
    assert found(project, digests=True) == []


def test_a_damaged_copy_is_found_by_unpacking_it(project):
    copy = next(project.glob("mosaic-001/archived/*chunk-0002*"))
    other = next(project.glob("mosaic-001/archived/*chunk-0001*"))
    copy.write_bytes(other.read_bytes())
    (line,) = found(project, products=False)
    assert line.startswith(f"{copy}: found content sha256:")


def test_a_copy_that_is_gone_or_cut_is_named(project):
    first, second = sorted(project.glob("mosaic-001/archived/*chunk*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-9])
    gone, cut = found(project, products=False)
    assert gone == f"{first}: found no file, expected an archived copy"
    assert cut.startswith(f"{second}: found damaged gzip")


def test_a_changed_checksum_file_is_named(project):
    sums = project / "mosaic-001/archived/batch-001.sha256"
    sums.write_text(sums.read_text().replace("_OCT", "_XCT", 1))
    (line,) = found(project, products=False)
    assert "batch-001.sha256: found no line for" in line


def test_sizes_are_checked_always_and_contents_on_demand(project):
    (project / "aip.nii").write_bytes(b"4321")
    (project / "dBI.ome.zarr" / "a").write_bytes(b"123")
    sizes = found(project, archive=False)
    assert sizes == [f"{project / 'dBI.ome.zarr'}: found 3 bytes, expected 2 bytes"]
    assert len(found(project, archive=False, digests=True)) == 2


@pytest.mark.parametrize(("mode", "lines"), [("keep", 1), ("temporary", 0)])
def test_complex_tiles_may_be_gone_where_they_are_temporary(project, mode, lines):
    Path("complex.nii").write_bytes(b"1")
    made = [product(Path("complex.nii"), "complex", 1)]
    parameters = {"settings": {"complex": mode}}
    path = flag("convert_batch", mosaic=1, batch=1)
    write_flag(path, "convert_batch", parameters=parameters, outputs=made)
    Path("complex.nii").unlink()
    assert len(found(project)) == lines


def test_a_broken_flag_is_named_and_the_others_are_checked(project):
    path = project / flag("archive_batch", mosaic=1, batch=1)
    path.write_text("{}")
    (project / "aip.nii").unlink()
    lines = found(project)
    assert [line.split(":")[0] for line in lines] == [str(path), str(project / "aip.nii")]


def test_a_folder_without_a_flag_is_not_found_to_be_good(tmp_path):
    with pytest.raises(DataError, match="found no flag, expected the folder of a project"):
        checks_of(tmp_path)


def test_the_command_exits_1_with_one_line_per_difference(project):
    command = [sys.executable, "-m", "octflow.cli", "verify", str(project)]
    root = Path(__file__).parents[2]
    run = {"cwd": root, "capture_output": True, "text": True}
    assert subprocess.run(command, **run).returncode == 0
    (project / "aip.nii").write_bytes(b"12345")
    done = subprocess.run(command, **run)
    assert done.returncode == 1
    assert done.stdout == f"{project / 'aip.nii'}: found 5 bytes, expected 4 bytes\n"


@pytest.fixture
def uploaded(project):
    """The map and the volume in an archive, by the flag of an upload."""
    disk = project / "disk"
    disk.mkdir()
    settings = UploadSettings.model_validate({"target": {"kind": "folder", "folder": str(disk)}})
    how = {"settings": settings, "limits": UploadLimits(), "access": UploadAccess()}
    outcome = upload_mosaic(stitched=flag("stitch_enface", mosaic=1), subject="p", **how)
    parameters = {name: section.plain() for name, section in how.items()}
    path = flag("upload_mosaic", mosaic=1)
    write_flag(path, "upload_mosaic", parameters=parameters, assets=outcome.assets)
    return disk


def uploads(project):
    return found(project, archive=False, products=False, uploads=True)


def test_what_an_archive_holds_is_read_anew_and_every_difference_named(project, uploaded):
    assert uploads(project) == []
    (uploaded / "p/aip.nii").write_bytes(b"1235")
    (uploaded / "p/dBI.ome.zarr/a").unlink()
    (uploaded / "p/dBI.ome.zarr").rmdir()
    differs, gone = uploads(project)
    assert re.fullmatch(r"p/aip.nii in the archive: found xxh3:\S+, expected xxh3:\S+", differs)
    assert gone.startswith("p/dBI.ome.zarr in the archive: found nothing, expected xxh3:")


def test_an_archive_that_is_not_there_is_a_difference(project, uploaded):
    uploaded.rename(project / "elsewhere")
    assert all("found no folder, expected the archive" in line for line in uploads(project))
    assert len(uploads(project)) == 2
