"""Planes that did not change are copied; whatever was there, the bytes are the same."""

import gzip
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from octflow.io.gzip_parts import write_gzip_parts
from octflow.io.nifti import read_affine, read_nifti, scaling_affine
from octflow.io.nifti_planes import Planes, read_plane, write_planes

SHAPE = (37, 53)
AFFINE = scaling_affine((0.01, 0.02, 0.5), (1, 2, 3))


def values(key, components=1):
    rng = np.random.default_rng([ord(letter) for letter in key])
    return rng.normal(size=(components, *SHAPE)).astype(np.float32)


def write(path, keys, components=1, **header):
    planes = Planes(SHAPE, list(keys), AFFINE, components=components, **header)
    return write_planes(
        path, planes, lambda i: np.array_split(values(keys[i], components), 4, axis=1)
    )


def test_nibabel_reads_planes_with_their_header(tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "abc", name="aip", description="intensity [dB]")
    image = nib.load(path)
    np.testing.assert_array_equal(image.get_fdata().T, np.concatenate([values(k) for k in "abc"]))
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.header.get_sform(coded=True)[1] == 1
    assert image.header["intent_name"].item() == b"aip"
    assert image.header["descrip"].item() == b"intensity [dB]"


def test_components_come_last_in_the_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "abc", components=3)
    expected = np.stack([values(key, 3) for key in "abc"], axis=1)
    np.testing.assert_array_equal(read_nifti(path), expected)


@pytest.mark.parametrize("components", [1, 3])
def test_planes_that_did_not_change_are_not_asked_for(components, tmp_path):
    path = tmp_path / "a.nii.gz"
    assert write(path, "abc", components) == [0, 1, 2]
    assert write(path, "abcd", components) == [3]
    assert write(path, "axcd", components) == [1]
    assert write(path, "xd", components) == []
    np.testing.assert_array_equal(
        read_nifti(path).reshape(components, 2, *SHAPE),
        np.stack([values(key, components) for key in "xd"], axis=1),
    )


@pytest.mark.parametrize("components", [1, 3])
def test_the_bytes_are_those_from_scratch(components, tmp_path):
    grown, fresh = tmp_path / "grown.nii.gz", tmp_path / "fresh.nii.gz"
    for keys in ("ab", "abd", "abcd"):
        write(grown, keys, components)
    write(fresh, "abcd", components)
    assert grown.read_bytes() == fresh.read_bytes()


def test_planes_that_are_alike_are_made_once(tmp_path):
    assert write(tmp_path / "a.nii.gz", "aba") == [0, 1]


READERS = {
    "gzip": lambda path: gzip.decompress(path.read_bytes()),
    "gunzip": lambda path: subprocess.run(["gunzip", "-c", path], capture_output=True).stdout,
    "zlib, one member": lambda path: zlib.decompress(path.read_bytes(), 31),
}


@pytest.mark.parametrize("reader", READERS)
def test_other_programs_unpack_it(reader, tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "abc")
    write(path, "abcd")
    content = READERS[reader](path)
    assert content[352:] == b"".join(values(key).tobytes() for key in "abcd")


def test_itk_reads_it(tmp_path):
    write(tmp_path / "a.nii.gz", "abc")
    image = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(image), np.concatenate([values(k) for k in "abc"])
    )


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_plane_that_was_damaged_on_disk_is_made_anew(where, tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "abc")
    whole = path.read_bytes()
    at = int(where * len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert len(write(path, "abc")) == 1
    assert path.read_bytes() == whole


@pytest.mark.parametrize("change", [lambda b: b[:-20], lambda b: b + b"0", lambda b: b[:300]])
def test_a_file_of_another_length_is_made_anew(change, tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "abc")
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    assert write(path, "abc") == [0, 1, 2]
    assert path.read_bytes() == whole


def test_a_plain_gzip_file_is_made_anew(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"something else"))
    assert write(path, "ab") == [0, 1]


def test_what_does_not_fit_into_the_header_is_made_anew(tmp_path):
    path, keys = tmp_path / "a.gz", [f"{i}" for i in range(1600)]
    for _ in range(2):
        made = write_gzip_parts(path, b"", keys, lambda i: [[f"{i:05}".encode()]])
        assert len(made) == 1600
        assert gzip.decompress(path.read_bytes()) == b"".join(b"%05d" % i for i in range(1600))


def test_a_killed_writer_leaves_the_former_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    write(path, "ab")
    former = path.read_bytes()
    code = (
        "import os, signal, numpy as np; from pathlib import Path\n"
        "from octflow.io.nifti_planes import Planes, write_planes\n"
        f"planes = Planes({SHAPE}, list('xyz'), np.eye(4))\n"
        "def bands(i):\n"
        "    yield np.zeros((1, 20, 53), np.float32)\n"
        "    if i == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"    yield np.zeros((1, 17, 53), np.float32)\n"
        f"write_planes(Path({str(path)!r}), planes, bands)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    assert killed.returncode == -9
    assert path.read_bytes() == former
    assert write(path, "abc") == [2]
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_the_affine_of_another_image_is_marked(tmp_path):
    write(tmp_path / "a.nii.gz", "ab", aligned=True)
    assert nib.load(tmp_path / "a.nii.gz").header.get_sform(coded=True)[1] == 2
    np.testing.assert_allclose(read_affine(tmp_path / "a.nii.gz"), AFFINE)


@pytest.mark.parametrize("components", [1, 3])
def test_planes_are_read_by_themselves(components, tmp_path):
    write(tmp_path / "a.nii.gz", "abc", components)
    plane = read_plane(tmp_path / "a.nii.gz", 1, SHAPE)
    np.testing.assert_array_equal(plane, values("b", components)[0])
