"""Volumes and maps of the microscope's own software."""

import hashlib

import nibabel as nib
import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.io.delivered import check_delivered, delivered_job, read_delivered
from octflow.io.digest import fast_id
from octflow.io.nifti import read_nifti

N_X, N_Y, N_Z = 5, 4, 7


def written(folder, role, values, slope=None):
    """A file as other software writes it, (x, y, z)."""
    path = folder / f"mosaic_001_image_0001_{role}.nii"
    image = nib.Nifti1Image(values, np.diag([0.01, 0.01, 0.0025, 1]))
    if slope:
        image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
    size = path.stat().st_size
    return Product(id="stat:1", path=str(path), bytes=size, role=role, tile=1)


def volume(seed=0, dtype=np.float32):
    return np.random.default_rng(seed).uniform(30, 90, (N_X, N_Y, N_Z)).astype(dtype)


def test_values_and_both_digests_come_from_one_reading(tmp_path):
    file = written(tmp_path, "dBI", volume())
    found = read_delivered(file, N_X, N_Y)
    np.testing.assert_array_equal(found.values, volume().T)
    content = (tmp_path / "mosaic_001_image_0001_dBI.nii").read_bytes()
    assert found.source.id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    link = found.link(tmp_path / "out" / "dBI.nii")
    assert link.id == fast_id(tmp_path / "out" / "dBI.nii")
    assert (tmp_path / "out" / "dBI.nii").is_symlink()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_may_be_single_or_double(tmp_path, dtype):
    values = volume(dtype=dtype)[:, :, :1]
    found = read_delivered(written(tmp_path, "aip", values), N_X, N_Y)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, values[:, :, 0].T.astype(np.float32))


def test_scaled_integers_are_read_as_their_header_says(tmp_path):
    codes = volume().astype(np.int16)
    file = written(tmp_path, "dBI", codes, slope=0.25)
    expected = read_nifti(tmp_path / "mosaic_001_image_0001_dBI.nii")
    np.testing.assert_array_equal(read_delivered(file, N_X, N_Y).values, expected)


@pytest.mark.parametrize(
    ("role", "values", "message"),
    [
        ("dBI", volume()[:-1], r"dBI.nii: found shape \(4, 4, 7\), expected \(5, 4, n_z\)"),
        ("aip", volume(), r"aip.nii: found shape \(5, 4, 7\), expected \(5, 4, 1\)"),
        ("aip", volume()[:, :, 0], r"aip.nii: found shape \(5, 4\), expected \(5, 4, 1\)"),
        ("dBI", volume(dtype=np.float64), r"found type float64, expected float32 or int16"),
        ("ret", volume(dtype=np.uint8)[..., :1], r"type uint8, expected float32 or float64"),
    ],
)
def test_another_shape_or_type_is_refused_before_it_is_read(tmp_path, role, values, message):
    with pytest.raises(DataError, match=message):
        check_delivered({role: written(tmp_path, role, values)}, N_X, N_Y)


def test_a_file_cut_short_or_too_long_is_refused(tmp_path):
    file = written(tmp_path, "dBI", volume())
    path = tmp_path / "mosaic_001_image_0001_dBI.nii"
    whole = path.read_bytes()
    for content in (whole[:-4], whole + b"0000"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"found {len(content)} bytes, expected {len(whole)}"):
            check_delivered({"dBI": file}, N_X, N_Y)


def test_volumes_of_different_depth_are_refused(tmp_path):
    files = {"dBI": written(tmp_path, "dBI", volume())}
    files["R3D"] = written(tmp_path, "R3D", volume()[:, :, :6])
    with pytest.raises(DataError, match=r"R3D.nii: found 6 depth samples, expected 7, as dBI has"):
        check_delivered(files, N_X, N_Y)


def test_values_that_are_not_finite_are_refused(tmp_path):
    values = volume()
    values[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="found 1 NaN or infinite values, expected finite values"):
        read_delivered(written(tmp_path, "dBI", values), N_X, N_Y)


def test_a_job_changes_with_any_of_its_files(tmp_path):
    files = {r: written(tmp_path, r, volume()[:, :, :1]) for r in ("aip", "ori")}
    changed = files | {"ori": files["ori"].model_copy(update={"id": "stat:2"})}
    assert delivered_job(1, files).source.id != delivered_job(1, changed).source.id
