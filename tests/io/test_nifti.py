import gzip

import nibabel as nib
import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.io.nifti import read_nifti, read_voxel_size_mm, write_nifti

VOXEL = (0.01, 0.02, 0.0025)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (3, 1, 4, 5)])
def test_what_is_written_is_read(shape, suffix, tmp_path):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    write_nifti(path, array, voxel_size_mm=VOXEL)
    np.testing.assert_array_equal(read_nifti(path), array)
    assert read_voxel_size_mm(path) == pytest.approx(VOXEL)


def test_nibabel_sees_x_y_z_and_the_true_affine(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_nifti(tmp_path / "a.nii", array, voxel_size_mm=VOXEL, origin_mm=(1, 2, 3))
    image = nib.load(tmp_path / "a.nii")
    assert image.shape == (4, 3, 2)
    assert image.get_fdata()[1, 2, 0] == array[0, 2, 1]
    np.testing.assert_allclose(image.affine @ [1, 1, 1, 1], [1.01, 2.02, 3.0025, 1], rtol=1e-6)
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (3, 1, 4, 5)])
def test_files_are_those_of_nibabel(shape, dtype, tmp_path):
    array = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    write_nifti(tmp_path / "a.nii", array, voxel_size_mm=VOXEL, slope=0.5)
    image = nib.load(tmp_path / "a.nii")
    again = nib.Nifti1Image(np.asarray(image.dataobj.get_unscaled()), None, image.header)
    again.header.set_slope_inter(0.5, 0)
    assert again.to_bytes() == (tmp_path / "a.nii").read_bytes()


def test_compressed_files_are_the_same_bytes_every_time(tmp_path):
    array = np.zeros((4, 5), np.float32)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, array, voxel_size_mm=VOXEL)
    first, second = ((tmp_path / n).read_bytes() for n in ("a.nii.gz", "b.nii.gz"))
    assert first == second
    assert len(gzip.decompress(first)) == 352 + 80


@pytest.mark.parametrize("content", [b"", b"not a nifti", bytes(400)])
def test_what_is_not_nifti_is_named(content, tmp_path):
    (tmp_path / "bad.nii").write_bytes(content)
    with pytest.raises(DataError, match=r"bad.nii: found .*, expected a NIfTI file"):
        read_nifti(tmp_path / "bad.nii")


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "cut.nii"
    write_nifti(path, np.zeros((4, 5, 6), np.float32), voxel_size_mm=VOXEL)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cut.nii: found 500 bytes, expected voxels \(6, 5, 4\)"):
        read_nifti(path)
