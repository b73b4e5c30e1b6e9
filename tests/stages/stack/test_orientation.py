"""The stack in the space of another image, as nibabel sees it."""

import json

import nibabel as nib
import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.settings import StackSettings

from flags import write_flag

OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, -0.2, 0.5) @ np.diag([-1.0, 1, 2]), [10, -60, 30]
)
"""Of the reference: turned, with x to the left."""


@pytest.fixture(scope="module")
def stitched(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    flags = []
    for slice_id in (1, 2, 4):
        path = folder / f"{slice_id}.nii"
        image = made.structure().astype(np.float32)
        write_nifti(path, image, voxel_size_mm=(0.01, 0.01, 0.0025))
        unit = {"slice": slice_id, "mosaic": slice_id, "illumination": "normal"}
        flags.append(
            write_flag(folder / f"{slice_id}.st", outputs=[product(path, "aip")], unit=unit)
        )
    return flags


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.nii"
    nib.save(nib.Nifti1Image(np.zeros((11, 20, 31), np.uint8), OBLIQUE), path)
    return str(path)


def stacked(stitched, out, **changes):
    settings = StackSettings(maps=(), image="aip", volumes=(), align=False, **changes)
    stack_slices(
        stitched=stitched, volumes=[], registered=[], placed=[], overview=out / "overview.jpg",
        folder=out, reference="normal", slice_thickness_um=50, instrument=Instrument(),
        settings=settings, threads=1,
    )  # fmt: skip
    placement = json.loads((out / "stack_placement.json").read_text())
    return nib.load(out / "stack_aip.nii.gz"), placement


def centre(image):
    return nib.affines.apply_affine(image.affine, (np.array(image.shape[:3]) - 1) / 2)


def test_the_centre_lies_on_that_of_the_reference(stitched, reference, tmp_path):
    image, _ = stacked(stitched, tmp_path / "out", reference=reference)
    expected = nib.affines.apply_affine(OBLIQUE, [5, 9.5, 15])
    np.testing.assert_allclose(centre(image), expected, atol=1e-4)
    np.testing.assert_allclose(image.affine[:3, :3], np.diag([0.01, 0.01, 0.05]), atol=1e-7)
    assert image.header.get_sform(coded=True)[1] == 2


def test_a_transform_is_applied_to_the_stack_in_mm(stitched, reference, tmp_path):
    matrix = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.7, 0.1, -0.4), [1, 2, 3])
    np.savetxt(tmp_path / "m.txt", matrix)
    plain, _ = stacked(stitched, tmp_path / "plain")
    image, _ = stacked(
        stitched, tmp_path / "out", reference=reference, reference_transform=str(tmp_path / "m.txt")
    )
    index = np.array([3, 40, 2])
    in_stack = nib.affines.apply_affine(plain.affine, index)
    expected = nib.affines.apply_affine(matrix, in_stack)
    np.testing.assert_allclose(nib.affines.apply_affine(image.affine, index), expected, atol=1e-5)
    assert plain.header.get_sform(coded=True)[1] == 1
    np.testing.assert_allclose(image.header.get_zooms()[:3], (0.01, 0.01, 0.05), rtol=1e-6)


def test_no_orientation_mirrors_the_stack(stitched, reference, tmp_path):
    image, _ = stacked(stitched, tmp_path / "out", reference=reference)
    assert np.linalg.det(image.affine[:3, :3]) > 0


def test_maps_and_volumes_lie_in_one_frame(stitched, reference, tmp_path):
    image, placement = stacked(stitched, tmp_path / "out", reference=reference)
    maps, volumes = (np.array(placement[f"affine_of_{n}"]) for n in ("maps", "volumes"))
    np.testing.assert_allclose(image.affine, maps, atol=1e-6)
    # Slice 2 is 20 voxels of 2.5 um thick: its middle lies between voxels 29 and 30.
    np.testing.assert_allclose(maps @ [7, 5, 1, 1], volumes @ [7, 5, 29.5, 1], atol=1e-9)


def test_only_headers_change_with_the_orientation(stitched, reference, tmp_path):
    plain, _ = stacked(stitched, tmp_path / "plain")
    image, _ = stacked(stitched, tmp_path / "out", reference=reference)
    np.testing.assert_array_equal(image.get_fdata(), plain.get_fdata())


def test_a_reference_that_is_none_is_named(stitched, tmp_path):
    (tmp_path / "bad.nii").write_text("no image")
    with pytest.raises(DataError, match=r"bad.nii: found .*, expected a NIfTI file"):
        stacked(stitched, tmp_path / "out", reference=str(tmp_path / "bad.nii"))
