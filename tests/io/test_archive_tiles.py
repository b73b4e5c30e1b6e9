"""Copies made while tiles are read: the same as those made alone, and no harm if they fail."""

import errno
import gzip
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from octflow.core.archive import ArchiveAlong
from octflow.core.record import Product, Unit
from octflow.io.archive_tiles import Along, TileArchive
from octflow.io.batch import TileJob, read_tile_record
from octflow.io.digest import raw_id

from bytes_read import BytesRead

UNIT = Unit(project="p", slice=1, mosaic=1, batch=1)
SIZE = 3_500_000


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "raw" / "mosaic_001_image_0002_spectral_0001.nii"
    path.parent.mkdir()
    path.write_bytes(np.random.default_rng(0).poisson(40, SIZE).astype(np.uint8).tobytes())
    return TileJob(2, Product(id="stat:1", path=str(path), bytes=SIZE, role="raw", tile=2))


def archive_in(folder):
    return TileArchive(folder, "I46", 1, "normal", 1, version=1)


def along_to(folder):
    return Along(ArchiveAlong(folder=str(folder), subject="I46"), UNIT, "normal")


def read_along(job, along, block=600_000):
    """Read a tile in blocks of one memory, handing them on."""
    memory, digested = np.empty(block, np.uint8), b""
    with along.copying(job) as copy, open(job.source.path, "rb") as file:  # noqa: PTH123
        while n := file.readinto(memory):
            copy.take(memory[:n])
            digested += memory[:n].tobytes()
        copy.keep(raw_id(digested))
    return raw_id(digested)


def files_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_copy_and_its_record_are_those_of_a_tile_archived_alone(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    along, alone = along_to("along"), archive_in(tmp_path / "alone")
    read_along(job, along)
    expected = alone.archive(job, threads=2)
    found = read_tile_record(tmp_path / "along" / "records", 2)
    outputs = [p.model_copy(update={"path": str(tmp_path / p.path)}) for p in found.outputs]
    moved = [p.path.replace("alone", "along") for p in expected.outputs]
    assert [p.path for p in outputs] == moved
    assert found.model_copy(update={"outputs": []}) == expected.model_copy(update={"outputs": []})
    assert [p.id for p in outputs] == [p.id for p in expected.outputs]
    assert (tmp_path / moved[0]).read_bytes() == alone.path_of(job).read_bytes()
    assert along.warnings == []


def test_the_copy_of_a_compressed_tile_is_that_of_the_tile_in_it(job, tmp_path):
    plain = Path(job.source.path)
    packed = plain.with_name(f"{plain.name}.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    size = packed.stat().st_size
    source = job.source.model_copy(update={"path": str(packed), "bytes": size})
    first, second = (archive_in(tmp_path / folder) for folder in ("plain", "packed"))
    expected = first.archive(job, threads=1)
    found = second.archive(TileJob(2, source), threads=1)
    assert [p.id for p in found.inputs] == [p.id for p in expected.inputs]
    assert files_in(tmp_path / "packed") == files_in(tmp_path / "plain")


def test_the_raw_file_is_read_once_and_the_copy_once(job, tmp_path):
    with BytesRead() as read:
        read_along(job, along_to(tmp_path / "a"))
    packed = archive_in(tmp_path / "a").path_of(job).stat().st_size
    assert read.bytes == pytest.approx(SIZE + packed, rel=0.01)


def test_a_tile_that_is_archived_is_not_archived_again(job, tmp_path):
    read_along(job, along_to(tmp_path / "a"))
    before = archive_in(tmp_path / "a").path_of(job).stat().st_mtime_ns
    with BytesRead() as read:
        read_along(job, along_to(tmp_path / "a"))
    assert archive_in(tmp_path / "a").path_of(job).stat().st_mtime_ns == before
    assert read.bytes < 1.01 * SIZE


def test_without_a_folder_nothing_is_written(job, tmp_path):
    read_along(job, Along(ArchiveAlong(), UNIT, "normal"))
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_a_reader_that_stops_leaves_no_copy(job, tmp_path):
    along = along_to(tmp_path / "a")

    def stop():
        with along.copying(job) as copy:
            copy.take(bytes(2_000_000))
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        stop()
    assert files_in(tmp_path / "a") == {}
    assert along.warnings == []


def test_a_tile_of_another_size_than_taken_in_is_not_archived(job, tmp_path):
    along = along_to(tmp_path / "a")
    with along.copying(job) as copy:
        copy.take(bytes(100))
        copy.keep("sha256:" + 64 * "0")
    assert f"found 100 bytes, expected {SIZE} bytes, as taken in" in along.warnings[0]
    assert files_in(tmp_path / "a") == {}


def test_a_file_in_the_way_is_said_and_does_no_harm(job, tmp_path):
    (tmp_path / "a").write_text("in the way")
    along = along_to(tmp_path / "a")
    assert read_along(job, along).startswith("sha256:")
    (warning,) = along.warnings
    assert warning.startswith("tile 2 could not be archived while it was read: ")
    assert "a folder that can be written to" in warning


@pytest.mark.parametrize("place", ["copy", "record"])
def test_a_folder_in_the_place_of_a_file_does_no_harm(job, tmp_path, place):
    kept = archive_in(tmp_path / "a")
    path = {"copy": kept.path_of(job), "record": kept.records / "tile-0002.json"}[place]
    (path / "inside").mkdir(parents=True)
    along = along_to(tmp_path / "a")
    assert read_along(job, along).startswith("sha256:")
    assert len(along.warnings) == 1
    assert list((tmp_path / "a").rglob(".part-*")) == []


def test_a_full_disk_does_no_harm_and_nothing_half_written_is_left(job, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        along = along_to(folder)
        assert read_along(job, along).startswith("sha256:")
        assert "no space left on device, expected room" in along.warnings[0]
        assert os.listdir(folder) == []  # noqa: PTH208
    finally:
        subprocess.run(["umount", str(folder)], check=True)
