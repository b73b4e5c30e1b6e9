"""Volumes as other programs see them: values, scale, units."""

import io
import json
import urllib.request
import zlib

import neuroglancer
import numpy as np
import pytest
import tensorstore
from neuroglancer import server
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from octflow.io.omezarr import Plan, read_volume
from octflow.io.volume_writer import write_volume

VALUES = np.random.default_rng(0).normal(60, 5, (20, 50, 141)).astype(np.float32)


@pytest.fixture(scope="module", params=["0.5", "0.4"])
def volume(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("readers") / "mosaic_001_dBI.ome.zarr"
    plan = Plan(
        VALUES.shape,
        (0.01, 0.02, 0.0025),
        "mosaic_001_dBI",
        chunk_px=(8, 16, 16),
        shard_px=(16, 32, 32),
        version=request.param,
    )
    write_volume(path, plan, block_of=lambda *where: VALUES[where])
    return path


@pytest.fixture(scope="module")
def node(volume):
    """What the reader of ome-zarr, which that of napari-ome-zarr was made from, finds."""
    (node,) = Reader(parse_url(volume))()
    return node


def test_ome_zarr_reads_the_values_of_all_levels(node):
    np.testing.assert_array_equal(np.asarray(node.data[0]), VALUES)
    assert [level.shape for level in node.data] == [(20, 50, 141), (10, 25, 71)]


def test_ome_zarr_finds_name_axes_and_units(node):
    assert node.metadata["name"] == "mosaic_001_dBI"
    found = [(axis["name"], axis["type"], axis["unit"]) for axis in node.metadata["axes"]]
    assert found == [(axis, "space", "millimeter") for axis in "zyx"]


def test_ome_zarr_finds_the_scale_and_the_place_of_coarse_voxels(node):
    fine, coarse = node.metadata["coordinateTransformations"]
    assert fine[0]["scale"] == pytest.approx([0.0025, 0.02, 0.01])
    assert coarse[0]["scale"] == pytest.approx([0.005, 0.04, 0.02])
    assert coarse[1]["translation"] == pytest.approx([0.00125, 0.01, 0.005])


@pytest.fixture(scope="module")
def viewer():
    neuroglancer.set_server_bind_address("127.0.0.1")
    yield neuroglancer.Viewer()
    neuroglancer.stop()


@pytest.fixture
def shown(viewer, volume, node):
    """Key of the volume in a layer of Neuroglancer, its space as the metadata tell it."""
    fine, _ = node.metadata["coordinateTransformations"]
    short = {"millimeter": "mm"}
    space = neuroglancer.CoordinateSpace(
        names=[axis["name"] for axis in node.metadata["axes"]],
        units=[short[axis["unit"]] for axis in node.metadata["axes"]],
        scales=fine[0]["scale"],
    )
    local = neuroglancer.LocalVolume(read_volume(volume), dimensions=space)
    with viewer.txn() as state:
        state.layers["dBI"] = neuroglancer.ImageLayer(source=local)
    (layer,) = viewer.state.to_json()["layers"]
    return layer["source"][0]["url"].removeprefix("python://volume/")


def served(what):
    with urllib.request.urlopen(f"{server.global_server.server_url}/neuroglancer/{what}") as answer:
        return answer.read()


def test_neuroglancer_knows_the_size_of_voxels_in_metres(shown):
    info = json.loads(served(f"info/{shown}"))
    assert info["shape"] == [20, 50, 141]
    assert info["dataType"] == "float32"
    sizes = {"z": 2.5e-6, "y": 2e-5, "x": 1e-5}
    assert info["coordinateSpace"] == {a: [pytest.approx(s), "m"] for a, s in sizes.items()}


def test_neuroglancer_serves_the_values(shown):
    packed = served(f"npz/{shown}/1,1,1/3,20,100/9,36,141")
    values = np.load(io.BytesIO(zlib.decompress(packed)))
    np.testing.assert_array_equal(values, VALUES[3:9, 20:36, 100:141])


def test_tensorstore_reads_the_values(volume):
    """A decoder of its own, in C++."""
    driver = "zarr3" if (volume / "zarr.json").exists() else "zarr"
    source = {"driver": driver, "kvstore": {"driver": "file", "path": f"{volume}/0/"}}
    opened = tensorstore.open(source, open=True).result()
    np.testing.assert_array_equal(opened.read().result(), VALUES)
