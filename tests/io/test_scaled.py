"""Volumes on disk with a scale: half the size, read by any program, sliced without being read."""

import nibabel as nib
import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.scaled import STEPS
from octflow.io.nifti import read_nifti
from octflow.io.scaled import read_scaled, write_int16

VOXEL = (0.01, 0.02, 0.0025)


@pytest.fixture
def volume():
    return np.random.default_rng(0).uniform(20, 90, (30, 40, 50)).astype(np.float32)


def test_the_file_is_half_as_large(volume, tmp_path):
    write_int16(tmp_path / "a.nii", volume, "dBI", voxel_size_mm=VOXEL)
    assert (tmp_path / "a.nii").stat().st_size == 352 + 2 * volume.size


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("modality", STEPS)
def test_every_reader_gets_the_values(volume, modality, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    write_int16(path, volume, modality, voxel_size_mm=VOXEL)
    half = 0.501 * STEPS[modality] + 1e-5
    assert read_nifti(path).dtype == np.float32
    np.testing.assert_allclose(read_nifti(path), volume, atol=half)
    np.testing.assert_allclose(nib.load(path).get_fdata().T, volume, atol=half)
    np.testing.assert_allclose(read_scaled(path).floats(slice(3, 5)), volume[3:5], atol=half)


def test_nothing_is_read_until_it_is_sliced(volume, tmp_path):
    write_int16(tmp_path / "a.nii", volume, "dBI", voxel_size_mm=VOXEL)
    stored = read_scaled(tmp_path / "a.nii").stored
    assert stored.dtype == np.int16
    assert not stored.flags.owndata


def test_nan_is_refused_by_name(volume, tmp_path):
    volume[2, 3, 4] = np.nan
    with pytest.raises(DataError, match=r"a.nii: found dBI of nan steps .*storage: float32"):
        write_int16(tmp_path / "a.nii", volume, "dBI", voxel_size_mm=VOXEL)
    assert not (tmp_path / "a.nii").exists()
