from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image

from octflow.core.axial import axis_difference
from octflow.core.errors import DataError
from octflow.core.scaled import STEPS
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.omezarr import read_volume, read_volume_voxel_size_mm
from octflow.io.records import product, read_record
from octflow.io.scaled import write_int16
from octflow.io.tiles import TileVolumes
from octflow.stages.volume.files import find_focus, join_volumes, stitch_share, stitch_volume
from octflow.stages.volume.settings import VolumeSettings

from flags import write_flag

UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}
SETTINGS = VolumeSettings(
    skip_x_px=2, offset_px=8, depth_px=30, chunk_px=(16, 16, 16), shard_px=(32, 32, 32)
)


def path_of(outcome, role):
    (path,) = (p.path for p in outcome.outputs if p.role == role)
    return Path(path)


@pytest.fixture(scope="module")
def focused(project):
    outcome = find_focus(
        processed=project.processed,
        found=project.found,
        focus=project.folder / "focus-normal.nii",
        picture=project.folder / "focus-normal.jpg",
        illumination=project.illumination,
        instrument=project.instrument,
        settings=SETTINGS,
    )
    return write_flag(
        project.folder / "focus-normal.found", outputs=outcome.outputs, unit=UNIT
    ), outcome


@pytest.fixture(scope="module")
def exact_focus(project, phantom):
    """A flag with the true pattern, which makes the fused volume a closed form."""
    path = project.folder / "exact.nii"
    write_nifti(path, phantom.pattern(), voxel_size_mm=(0.012, 0.01, 0.0025))
    return write_flag(project.folder / "exact.found", outputs=[product(path, "focus")], unit=UNIT)


def named(project, focus_flag, modality, where, settings=SETTINGS):
    return {
        "processed": project.processed,
        "found": project.found,
        "focused": focus_flag,
        "stitched": project.stitched,
        "folder": where,
        "illumination": project.illumination,
        "grid": [[t, *place] for t, place in project.grid.items()],
        "instrument": project.instrument,
        "modality": modality,
        "settings": settings,
    }


def stitch(project, focus_flag, modality, where, threads=1, settings=SETTINGS, shares=()):
    arguments = named(project, focus_flag, modality, where, settings)
    overview = where / f"{modality}.jpg"
    return stitch_volume(**arguments, overview=overview, threads=threads, shares=shares)


@pytest.fixture(scope="module")
def level(project, exact_focus):
    return stitch(project, exact_focus, "R3D", project.folder / "stitched")


def test_focus_is_found_from_the_surfaces_of_the_tiles(focused, phantom):
    _, outcome = focused
    error = read_nifti(path_of(outcome, "focus")) - phantom.pattern()
    assert np.sqrt(np.mean(error**2)) < 0.3
    assert outcome.qc["overlap_rms_after_px"] < 0.2 * outcome.qc["overlap_rms_before_px"]
    assert outcome.gates[0].verdict == "pass"


def test_missing_tile_is_named(focused):
    _, outcome = focused
    assert outcome.warnings == ["1 of 6 tiles are holes: 4"]
    assert outcome.tiles.missing[0].reason == "declared missing"


def test_flattened_volume_is_level_across_all_tiles(level):
    volume = read_volume(path_of(level, "R3D"))[:]
    depth = np.arange(30)[:, None, None] + level.qc["base_px"] - SETTINGS.offset_px
    assert np.nanmax(np.abs(volume - depth)) < 1e-3
    assert np.isfinite(volume).mean() > 0.7


def test_shallowest_tissue_lies_at_the_offset(level, project, phantom):
    surfaces = [
        phantom.surface_of(phantom.layout, t) - phantom.pattern()
        for t in phantom.grid
        if t != project.missing
    ]
    assert abs(np.min(surfaces) - level.qc["base_px"]) < 1.5


def test_mask_and_hole_are_empty(level, project, phantom):
    volume = read_volume(path_of(level, "R3D"))[:]
    x, y = (round(p) + 25 for p in phantom.layout.positions_px[project.missing])
    assert np.isnan(volume[:, :, :10]).all()
    assert np.isnan(volume[:, y, x]).all()
    assert np.isfinite(volume[:, 20, 12:40]).all()


def test_mask_can_be_left_off(project, exact_focus, tmp_path):
    settings = SETTINGS.model_copy(update={"mask_volumes": False})
    outcome = stitch(project, exact_focus, "R3D", tmp_path, settings=settings)
    assert np.isfinite(read_volume(path_of(outcome, "R3D"))[:, 20, 2:10]).all()


def test_axis_angles_are_fused_across_their_wrap(project, exact_focus, level, tmp_path):
    outcome = stitch(project, exact_focus, "O3D", tmp_path)
    volume = read_volume(path_of(outcome, "O3D"))[:]
    depth = np.arange(30)[:, None, None] + level.qc["base_px"] - SETTINGS.offset_px
    assert np.nanmax(np.abs(axis_difference(volume, 4 * depth))) < 0.05


def as_int16(project, folder):
    """The same project with the volumes of its tiles stored as int16."""
    record = read_record(project.processed[0])
    outputs = []
    for one in record.outputs:
        path = Path(one.path)
        if one.role in STEPS:
            path = folder / path.name
            voxel_mm = (0.012, 0.01, 0.0025)
            write_int16(path, read_nifti(Path(one.path)), one.role, voxel_size_mm=voxel_mm)
        outputs.append(product(path, one.role, one.tile))
    flag = folder / "int16.processed"
    write_flag(flag, "process_batch", outputs=outputs, tiles=record.tiles, unit=UNIT)
    return replace(project, processed=[flag])


@pytest.mark.parametrize("modality", ["dBI", "O3D"])
def test_tiles_stored_as_int16_give_the_same_volume(project, exact_focus, modality, tmp_path):
    scaled = as_int16(project, tmp_path)
    volumes = []
    for name, one in {"plain": project, "scaled": scaled}.items():
        where = tmp_path / name
        where.mkdir()
        volumes.append(read_volume(path_of(stitch(one, exact_focus, modality, where), modality))[:])
    np.testing.assert_array_equal(*(np.isnan(volume) for volume in volumes))
    gap = axis_difference(*volumes) if modality == "O3D" else np.subtract(*volumes)
    assert np.nanmax(np.abs(gap)) < 0.006


def test_a_volume_of_another_size_is_refused(project):
    volumes = TileVolumes(project.processed, "dBI", (3, 3), among=[1])
    with pytest.raises(DataError, match=r"dBI.nii: found pixels .*, expected pixels \(3, 3\)"):
        volumes[1]


def test_volume_is_valid_and_has_the_true_scale(level):
    path = path_of(level, "R3D")
    Image.from_zarr(zarr.open_group(path, mode="r"))
    assert read_volume_voxel_size_mm(path) == pytest.approx((0.012, 0.01, 0.0025))


def test_two_threads_write_the_same_bytes(project, exact_focus, level, tmp_path):
    again = stitch(project, exact_focus, "R3D", tmp_path, threads=2)
    assert [p.id for p in again.outputs] == [p.id for p in level.outputs]


def test_shares_made_by_several_jobs_are_the_same_volume(project, exact_focus, level, tmp_path):
    settings = SETTINGS.model_copy(update={"shares": 3})
    arguments = named(project, exact_focus, "R3D", tmp_path, settings)
    made = [stitch_share(**arguments, share=i, threads=1) for i in (1, 2, 3)]
    flags = [
        write_flag(tmp_path / str(i), "stitch_share", inputs=one.inputs, qc=one.qc, unit=UNIT)
        for i, one in enumerate(made)
    ]
    again = stitch(project, exact_focus, "R3D", tmp_path, shares=flags)
    assert all(one.qc["shards"] for one in made)
    assert [p.id for p in again.outputs] == [p.id for p in level.outputs]


def test_version_0_4_holds_the_same_voxels(project, exact_focus, level, tmp_path):
    settings = SETTINGS.model_copy(update={"ome_zarr": "0.4"})
    path = path_of(stitch(project, exact_focus, "R3D", tmp_path, settings=settings), "R3D")
    expected = read_volume(path_of(level, "R3D"))[:]
    np.testing.assert_array_equal(read_volume(path)[:], expected)


def test_coverage_tells_of_the_hole(level, phantom, project):
    holes = phantom.layout.counted(t for t in phantom.grid if t != project.missing) == 0
    assert level.qc["coverage"] == pytest.approx(1 - holes.mean())
    assert level.warnings == ["1 of 6 tiles are holes: 4"]


def without(project, folder, tiles):
    """The same project with some more tiles gone."""
    record = read_record(project.processed[0])
    outputs = [p for p in record.outputs if p.tile not in tiles]
    flag = write_flag(folder / "gone", "process_batch", outputs=outputs, unit=UNIT)
    return replace(project, processed=[flag])


def test_a_missing_column_is_a_hole_from_top_to_bottom(project, exact_focus, phantom, tmp_path):
    column = [tile for tile, (x, _) in project.grid.items() if x == 1]
    outcome = stitch(without(project, tmp_path, column), exact_focus, "dBI", tmp_path)
    volume = read_volume(path_of(outcome, "dBI"))[:]
    x = round(phantom.layout.positions_px[column[0]][0]) + 20
    assert np.isnan(volume[:, :, x]).all()
    assert np.isfinite(volume).any()
    assert outcome.qc["coverage"] < 0.8
    assert [hole.tile for hole in outcome.tiles.missing] == sorted({*column, project.missing})


def test_a_mosaic_without_any_tile_is_empty(project, exact_focus, tmp_path):
    outcome = stitch(without(project, tmp_path, project.grid), exact_focus, "dBI", tmp_path)
    assert np.isnan(read_volume(path_of(outcome, "dBI"))[:]).all()
    assert outcome.qc["coverage"] == 0


def test_joined_flag_lists_the_volumes_of_all_modalities(project, level, tmp_path):
    flags = [
        write_flag(
            tmp_path / f"{m}.flag",
            outputs=level.outputs,
            tiles=level.tiles,
            unit={**UNIT, "modality": m},
        )
        for m in ("R3D", "dBI")
    ]
    joined = join_volumes(volumes=flags)
    assert [p.role for p in joined.outputs] == ["R3D", "R3D"]
    assert [hole.tile for hole in joined.tiles.missing] == [project.missing]


def test_focus_of_another_tile_size_is_refused(project, tmp_path):
    path = tmp_path / "focus.nii"
    write_nifti(path, np.zeros((3, 3), np.float32), voxel_size_mm=(1, 1, 1))
    flag = write_flag(tmp_path / "focus.found", outputs=[product(path, "focus")], unit=UNIT)
    with pytest.raises(DataError, match=r"found pixels \(3, 3\), expected pixels \(40, 40\)"):
        stitch(project, flag, "R3D", tmp_path)
