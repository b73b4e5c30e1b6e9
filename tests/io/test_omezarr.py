import json
from functools import partial

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04 import Image as ImageOf04
from ome_zarr_models.v05 import Image

from octflow.core.axial import axis_mean
from octflow.core.errors import DataError, SettingsError
from octflow.io.digest import fast_id
from octflow.io.omezarr import Plan, read_volume, read_volume_voxel_size_mm
from octflow.io.volume_writer import write_volume

SHAPE = (37, 90, 141)
small = partial(
    Plan,
    voxel_size_mm=(0.01, 0.02, 0.0025),
    name="dBI",
    chunk_px=(8, 8, 8),
    shard_px=(16, 32, 32),
)


def write_small(path, shape, *, block_of, threads=1, **planned):
    write_volume(path, small(shape, **planned), block_of=block_of, threads=threads)


@pytest.fixture(scope="module")
def volume():
    values = np.random.default_rng(1).normal(60, 10, SHAPE).astype(np.float32)
    values[:, :20] = np.nan
    values[3, 50, 60:64] = np.nan
    return values


@pytest.fixture(scope="module")
def written(volume, tmp_path_factory):
    path = tmp_path_factory.mktemp("omezarr") / "a.ome.zarr"
    write_small(path, SHAPE, block_of=lambda *where: volume[where])
    return path


def mean_of_eight(fine):
    """The definition, voxel by voxel."""
    shape = tuple(-(-n // 2) for n in fine.shape)
    coarse = np.full(shape, np.nan)
    for z, y, x in np.ndindex(*shape):
        cell = fine[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        if np.isfinite(cell).any():
            coarse[z, y, x] = np.nanmean(cell)
    return coarse


def test_finest_level_holds_the_values_that_were_given(written, volume):
    np.testing.assert_array_equal(read_volume(written)[:], volume)


def test_coarse_level_is_the_mean_that_ignores_empty_voxels(written, volume):
    np.testing.assert_allclose(read_volume(written, 1)[:], mean_of_eight(volume), rtol=1e-5)


def test_pyramid_ends_at_a_small_level(written):
    assert read_volume(written, 1).shape == (19, 45, 71)
    with pytest.raises(DataError, match=r"2: found no zarr\.json"):
        read_volume(written, 2)


def test_coarse_axis_angles_are_axial_means(tmp_path):
    axes = np.random.default_rng(2).uniform(-90, 90, (4, 6, 132)).astype(np.float32)
    write_small(tmp_path / "o.ome.zarr", axes.shape, block_of=lambda *w: axes[w], axial=True)
    found = read_volume(tmp_path / "o.ome.zarr", 1)[1, 2, 3]
    assert found == pytest.approx(float(axis_mean(axes[2:4, 4:6, 6:8])), abs=1e-3)


def test_metadata_pass_the_models_of_the_format(written):
    image = Image.from_zarr(zarr.open_group(written, mode="r"))
    (scales,) = image.ome_attributes.multiscales
    assert [(axis.name, axis.unit) for axis in scales.axes] == [(a, "millimeter") for a in "zyx"]
    assert json.loads((written / "zarr.json").read_text())["attributes"]["ome"]["version"] == "0.5"


def test_scale_doubles_and_the_first_centre_moves_by_half_a_voxel(written):
    ome = json.loads((written / "zarr.json").read_text())["attributes"]["ome"]
    scale, shift = ome["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.005, 0.04, 0.02])
    assert shift["translation"] == pytest.approx([0.00125, 0.01, 0.005])
    assert read_volume_voxel_size_mm(written, 1) == pytest.approx((0.02, 0.04, 0.005))


@pytest.fixture(scope="module")
def written_0_4(volume, tmp_path_factory):
    path = tmp_path_factory.mktemp("omezarr") / "old.ome.zarr"
    write_small(path, SHAPE, block_of=lambda *where: volume[where], version="0.4")
    return path


@pytest.mark.parametrize("level", [0, 1])
def test_version_0_4_holds_the_same_values(written, written_0_4, level):
    found = read_volume(written_0_4, level)
    assert (found.metadata.zarr_format, found.chunks, found.shards) == (2, (8, 8, 8), None)
    np.testing.assert_array_equal(found[:], read_volume(written, level)[:])


def test_version_0_4_passes_the_models_of_the_format(written_0_4):
    image = ImageOf04.from_zarr(zarr.open_group(written_0_4, mode="r"))
    (scales,) = image.ome_attributes.multiscales
    assert [(axis.name, axis.unit) for axis in scales.axes] == [(a, "millimeter") for a in "zyx"]
    assert read_volume_voxel_size_mm(written_0_4, 1) == pytest.approx((0.02, 0.04, 0.005))


def test_version_0_4_has_no_file_for_an_empty_chunk(written_0_4):
    chunks = [path for path in (written_0_4 / "0").rglob("*") if path.name.isdecimal()]
    files = {tuple(map(int, path.parts[-3:])) for path in chunks if path.is_file()}
    assert {y for _, y, _ in files} == set(range(2, 12))
    assert not (written_0_4 / ".finished").exists()


@pytest.mark.parametrize("threads", [1, 2])
def test_same_values_give_same_bytes_on_any_number_of_threads(written, volume, tmp_path, threads):
    path = tmp_path / "b.ome.zarr"
    write_small(path, SHAPE, block_of=lambda *where: volume[where], threads=threads)
    assert fast_id(path) == fast_id(written)


def test_every_shard_is_asked_for_once_and_none_exceeds_its_size(volume, tmp_path):
    asked = []
    write_small(tmp_path / "c.ome.zarr", SHAPE, block_of=lambda *w: asked.append(w) or volume[w])
    starts = [tuple(s.start for s in where) for where in asked]
    assert sorted(starts) == [
        (z, y, x) for z in (0, 16, 32) for y in (0, 32, 64) for x in (0, 32, 64, 96, 128)
    ]


def test_failure_leaves_nothing_behind(tmp_path):
    def broken(*where):
        raise DataError("tile.nii", found="3 bytes", expected="4 bytes")

    with pytest.raises(DataError, match=r"tile\.nii"):
        write_small(tmp_path / "d.ome.zarr", SHAPE, block_of=broken)
    assert list(tmp_path.iterdir()) == []


def test_shards_of_broken_chunks_are_refused():
    with pytest.raises(SettingsError, match="multiples of"):
        Plan(SHAPE, (1, 1, 1), "dBI", chunk_px=(64, 64, 64), shard_px=(100, 128, 128))
