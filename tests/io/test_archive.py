import gzip
import hashlib
import io
import subprocess
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.archive import ArchiveWriter, archive_file, archiving, content_digest
from octflow.io.nifti import write_nifti
from octflow.io.records import product


@pytest.fixture(params=[0, 1, 1 << 20, 3_500_000], ids=lambda n: f"{n} bytes")
def source(request, tmp_path):
    """A file with repeats, of no, one or several blocks."""
    path = tmp_path / "tile.nii"
    counts = np.random.default_rng(0).poisson(40, request.param).astype(np.uint8)
    path.write_bytes(counts.tobytes())
    return path


def test_the_copy_unpacks_to_the_same_bytes_and_has_their_digest(source, tmp_path):
    copy = tmp_path / "a.nii.gz"
    found, _ = archive_file(source, copy, level=2)
    assert gzip.decompress(copy.read_bytes()) == source.read_bytes()
    assert found == "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
    assert found == "sha256:" + content_digest(copy)


@pytest.mark.parametrize("level", [0, 1, 2, 12])
def test_the_command_gzip_opens_the_copy(source, level, tmp_path):
    archive_file(source, tmp_path / "a.nii.gz", level=level)
    done = subprocess.run(["gzip", "-dc", tmp_path / "a.nii.gz"], check=True, capture_output=True)
    assert done.stdout == source.read_bytes()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_bytes_depend_on_neither_name_nor_time_nor_threads(source, level, tmp_path):
    for name, threads in (("a", 1), ("b", 3)):
        archive_file(source, tmp_path / f"{name}.gz", level=level, threads=threads)
    first = (tmp_path / "a.gz").read_bytes()
    assert first == (tmp_path / "b.gz").read_bytes()
    assert first[4:8] == bytes(4)
    assert not first[3]


def test_a_nifti_reader_opens_the_copy(tmp_path):
    volume = np.random.default_rng(0).normal(size=(40, 90, 100)).astype(np.float32)
    write_nifti(tmp_path / "v.nii", volume, voxel_size_mm=(0.01, 0.01, 0.0025))
    archive_file(tmp_path / "v.nii", tmp_path / "w.nii.gz", level=2)
    np.testing.assert_array_equal(nib.load(tmp_path / "w.nii.gz").get_fdata().T, volume)


def test_a_file_that_shrank_while_it_was_read_is_refused_and_leaves_no_copy(tmp_path):
    (tmp_path / "tile.nii").write_bytes(bytes(900))
    with pytest.raises(DataError, match="found 900 bytes, expected 1000 bytes"):
        archive_file(tmp_path / "tile.nii", tmp_path / "a.gz", level=2, expected_bytes=1000)
    assert list(tmp_path.iterdir()) == [tmp_path / "tile.nii"]


@pytest.mark.parametrize("damage", [slice(0, 500), slice(10, None)], ids=["cut", "beheaded"])
def test_a_damaged_copy_is_named(damage, tmp_path):
    path = tmp_path / "a.gz"
    (tmp_path / "tile.nii").write_bytes(np.random.default_rng(0).bytes(5000))
    archive_file(tmp_path / "tile.nii", path, level=2)
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(DataError, match=r"a\.gz: found damaged gzip"):
        content_digest(path)


def test_blocks_of_any_size_make_the_same_copy(source, tmp_path):
    archive_file(source, tmp_path / "a.gz", level=1)
    content = source.read_bytes()
    with archiving(tmp_path / "b.gz", level=1) as writer:
        for start in range(0, len(content), 700_001):
            writer.write(content[start : start + 700_001])
    assert (tmp_path / "b.gz").read_bytes() == (tmp_path / "a.gz").read_bytes()


def test_the_copy_is_described_as_if_it_were_read_again(source, tmp_path):
    _, copy = archive_file(source, tmp_path / "a.gz", level=2, threads=2)
    assert copy == product(tmp_path / "a.gz", "archived")


class FaultyDisk(io.FileIO):
    """A disk that writes a wrong byte into the middle of everything."""

    def write(self, content):
        spoiled = bytearray(content)
        spoiled[len(spoiled) // 2] ^= 1
        return super().write(spoiled)


def test_what_is_not_on_the_disk_as_written_is_refused(tmp_path):
    content = np.random.default_rng(0).poisson(40, 5000).astype(np.uint8)
    with FaultyDisk(tmp_path / "a.gz", "w+") as file, ThreadPoolExecutor(1) as pool:
        writer = ArchiveWriter(tmp_path / "a.gz", file, level=2, pool=pool, ahead=0)
        writer.write(content)
        with pytest.raises(DataError, match=r"a\.gz: found .*expected what was written"):
            writer.finish()
