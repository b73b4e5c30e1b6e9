import itertools

import pytest

from octflow.core.bids import (
    RAW_NAME,
    Ids,
    check_template,
    label_of,
    raw_ids,
    raw_path,
    result_ids,
    result_path,
)

VOLUMES = ("dBI", "R3D", "O3D")
TEMPLATES = [
    RAW_NAME,
    "sourcedata/{subject}_{mosaic:03d}_{tile:04d}.nii.gz",
    "rawdata/m{mosaic}/sub-{subject}_m{mosaic}_t{tile}_{illumination}.nii.gz",
    "raw/{slice}_{illumination}_{tile}_O.C.T+(x).gz",
]


def tiles():
    numbers = itertools.product([1, 12, 999, 1000], [1, 7, 2500], [1, 10, 9999, 10000])
    for slice_id, mosaic, tile in numbers:
        for illumination in ("normal", "tilted15"):
            yield Ids("I46", slice_id, mosaic, tile, illumination)


@pytest.mark.parametrize("template", TEMPLATES)
def test_ids_are_read_back_from_the_name_of_a_tile_and_no_two_have_one(template):
    check_template(template)
    names = {}
    for ids in tiles():
        name = raw_path(template, ids)
        found = raw_ids(template, name)
        fields = [f for f in ("slice", "mosaic", "tile", "illumination") if f"{{{f}" in template]
        said = tuple(getattr(ids, f) for f in fields)
        assert tuple(getattr(found, f) for f in fields) == said
        names.setdefault(name, set()).add(said)
    assert all(len(said) == 1 for said in names.values())


@pytest.mark.parametrize(
    "template",
    [
        "no-fields.nii.gz",
        "{subject}_{tile}.nii.gz",
        "{slice}_{tile}.nii.gz",
        "{mosaic}{tile}.nii.gz",
        "{mosaic}_{tile}_{voxel}.nii.gz",
        "/etc/{mosaic}_{tile}",
        "../{mosaic}_{tile}",
        "{tile}/{mosaic}_x",
        "{mosaic}_{tile:2f}",
        "{mosaic}_{tile!r}_{",
    ],
)
def test_a_pattern_that_does_not_name_every_tile_is_refused(template):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, it is no pattern
        check_template(template)


@pytest.mark.parametrize("subject", ["I-46", "I_46", "", "I46/x", "I 46"])
def test_a_label_that_is_none_is_refused(subject):
    with pytest.raises(ValueError, match="to be read back"):
        raw_path(RAW_NAME, Ids(subject, 1, 1, 1, "normal"))


def results():
    for slice_id, illumination in itertools.product([1, 12, 1000], ["normal", "dBI", None]):
        for product in VOLUMES:
            yield Ids("I46", slice_id, illumination=illumination, product=product), ".ome.zarr"
        for suffix in (".nii", ".nii.gz", ".jpg", ".mat"):
            yield Ids("I46", slice_id, illumination=illumination, product="aip"), suffix


def test_ids_are_read_back_from_the_name_of_a_result_and_no_two_have_one():
    names = {result_path(*one): one for one in results()}
    assert len(names) == len(list(results()))
    assert {name: result_ids(name, VOLUMES) for name in names} == names


@pytest.mark.parametrize(
    "path",
    [
        "sub-I46/micr/sub-I47_sample-slice001_acq-normaldBI_OCT.ome.zarr",
        "sub-I46/micr/sub-I46_sample-slice001_acq-normal_OCT.ome.zarr",
        "sub-I46/micr/sub-I46_sample-slice001_OCT.ome.zarr",
        "notes.txt",
    ],
)
def test_what_is_no_name_of_a_result_is_not_read(path):
    assert result_ids(path, VOLUMES) is None


def test_labels_have_no_signs():
    assert [label_of(word) for word in ("axis_3d-rgb", "_x", "")] == ["axis3dRgb", "x", ""]
