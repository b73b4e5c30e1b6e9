import json
import os
import sys
from pathlib import Path

import pytest

from octflow.core.bids import Ids, raw_ids, result_ids
from octflow.core.errors import DataError
from octflow.core.names import VOLUMES
from octflow.core.record import Product, Unit
from octflow.stages.upload.names import archive_paths
from octflow.stages.upload.settings import UploadSettings

BIDS = UploadSettings(names="bids")
MOSAIC = Unit(project="brain", slice=1, mosaic=2, illumination="tilted")
BATCH = MOSAIC.model_copy(update={"batch": 3})
SLICE = Unit(project="brain", slice=1)


def listed(path, role, tile=None):
    return Product(id="stat:1", path=path, bytes=1, role=role, tile=tile)


def paths(unit, *products, settings=BIDS):
    return archive_paths(products, unit, "I46", settings)


def test_products_keep_their_places_unless_names_of_bids_are_asked_for():
    one = listed("mosaic-002/stitched/mosaic_002_aip.nii", "aip")
    assert paths(MOSAIC, one, settings=UploadSettings()) == [f"brain/{one.path}"]


def test_raw_tiles_have_the_name_of_the_lab_and_checksums_lie_beside_them():
    products = [listed("x/1.nii.gz", "archived", 12), listed("x/batch-003.sha256", "checksums")]
    tile, sums = paths(BATCH, *products)
    assert tile == "rawdata/sub-I46/sub-I46_sample-slice001_chunk-0012_acq-tilted_OCT.nii.gz"
    assert sums == "rawdata/sub-I46/mosaic-002_batch-003.sha256"
    own = UploadSettings(names="bids", raw_name="raw/{mosaic}-{tile}.gz")
    assert paths(BATCH, products[0], settings=own) == ["raw/2-12.gz"]
    assert raw_ids(own.raw_name, "raw/2-12.gz") == Ids("", mosaic=2, tile=12)


def test_all_products_of_a_mosaic_and_of_a_slice_are_told_by_their_names():
    kinds = [("aip", ".nii"), ("aip_jpeg", ".jpg"), ("aip_tiff", ".tiff"), ("overview", ".jpg")]
    maps = paths(MOSAIC, *(listed(f"x/{role}{suffix}", role) for role, suffix in kinds))
    assert [result_ids(path, VOLUMES)[0].product for path in maps] == [
        *("aip", "aip", "aip", "overview")
    ]
    volume = listed("x/mosaic_002_dBI.ome.zarr", "dBI")
    (path,) = paths(MOSAIC, volume)
    assert path == "sub-I46/micr/sub-I46_sample-slice001_acq-tilteddBI_OCT.ome.zarr"
    (path,) = paths(SLICE, listed("x/slice-001_uncertainty_inclination.nii.gz", "un_certain"))
    assert result_ids(path, VOLUMES)[0] == Ids("I46", slice=1, product="unCertain")


def test_two_products_of_one_name_are_refused():
    with pytest.raises(DataError, match=r"b.nii: found the name of a.nii"):
        paths(MOSAIC, listed("a.nii", "a_p"), listed("b.nii", "aP"))


def test_packed_samples_are_not_called_nifti():
    packed = listed("x/1.raw.gz", "archived", 1)
    with pytest.raises(DataError, match=r"1.raw.gz: upload.raw_name ends in .nii.gz"):
        paths(BATCH, packed)
    own = UploadSettings(names="bids", raw_name="raw/{mosaic}-{tile}.raw.gz")
    assert paths(BATCH, packed, settings=own) == ["raw/2-1.raw.gz"]


def test_a_tile_without_number_is_refused():
    with pytest.raises(DataError, match="found no tile"):
        paths(BATCH, listed("x/1.nii.gz", "archived"))


def test_the_validator_of_bids_knows_the_names_of_volumes(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not os.environ.get("CI"):
        pytest.importorskip("dandi")
    from dandi.bids_validator_deno import bids_validate

    for unit, role in ((MOSAIC, "dBI"), (SLICE, "O3D")):
        (path,) = paths(unit, listed(f"x/{role}.ome.zarr", role))
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "zarr.json").write_text("{}")
    said = {"Name": "brain", "BIDSVersion": "1.11.1", "DatasetType": "derivative"}
    said["GeneratedBy"] = [{"Name": "octflow"}]
    (tmp_path / "dataset_description.json").write_text(json.dumps(said))
    wrong = tmp_path / path.replace("_sample-slice001_acq-O3D", "_acq-O3D_sample-slice-001")
    wrong.mkdir()
    found = [(result.id, str(result.path)) for result in bids_validate(tmp_path)]
    names = [path for kind, path in found if "NAME" in kind or "ENTITY" in kind]
    assert {path for path in names if path.endswith("zarr")} == {str(wrong)}
