import json
from functools import partial
from pathlib import Path

import jinja2
import nibabel as nib
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from pydantic import ValidationError

from octflow.core.errors import DataError, EstimateError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.mosaic import resampled
from octflow.core.names import tile_name
from octflow.core.record import TileFailure, Tiles
from octflow.io.nifti import read_nifti, read_voxel_size_mm, write_nifti
from octflow.io.records import product
from octflow.io.tileconfig import read_tileconfig
from octflow.io.tilemap import read_tilemap
from octflow.stages.stitch.files import find_tilemap, stitch_enface
from octflow.stages.stitch.settings import StitchSettings

from flags import write_flag

ILLUMINATION = Illumination(
    name="normal", grid_size_x=4, tile_size_x_px=64, tile_size_y_px=64, overlap_fraction=0.25
)
INSTRUMENT = Instrument(voxel_x_um=12, voxel_y_um=10)
MAPS = ("aip", "mip", "ret", "ori", "biref", "surf")
MISSING = 5
UNIT = {"slice": 1, "mosaic": 1, "illumination": "normal"}


def values_of(role, aip):
    flat = {"ret": 30.0, "ori": 90.0, "biref": 5e-4, "surf": 120.0}
    if role == "ori":
        # An axis of 90 degrees with noise, which lies on both sides of the wrap.
        noise = np.random.default_rng(3).normal(0, 3, aip.shape).astype(np.float32)
        return np.where(noise > 0, noise - 90, noise + 90)
    return np.full(aip.shape, flat[role], np.float32) if role in flat else aip


def write_batch(folder, flag, tiles, missing=()):
    outputs = []
    for tile, aip in tiles.items():
        for role in MAPS:
            path = folder / tile_name(1, tile, role)
            write_nifti(path, values_of(role, aip), voxel_size_mm=(0.012, 0.01, 0.2))
            outputs.append(product(path, role, tile))
    holes = [TileFailure(tile=t, reason="spectral.nii: found 3 bytes, expected 9") for t in missing]
    told = Tiles(ok=[*tiles], failed=holes)
    write_flag(flag, "process_batch", outputs=outputs, tiles=told, unit=UNIT)


@pytest.fixture(scope="module")
def project(tmp_path_factory, cut_scan):
    """A mosaic of 4 x 3 tiles in 4 batches, one tile failed."""
    folder = tmp_path_factory.mktemp("project")
    scan = cut_scan()
    flags = []
    for batch in range(4):
        ids = list(range(3 * batch + 1, 3 * batch + 4))
        flag = folder / f"batch-{batch + 1:03d}.processed"
        there = {t: scan.tiles[t] for t in ids if t != MISSING}
        write_batch(folder, flag, there, [t for t in ids if t == MISSING])
        flags.append(flag)
    return folder, flags, scan


def find(project, where, **settings):
    _, flags, scan = project
    return find_tilemap(
        processed=flags,
        tilemap=where / "tilemap-normal.j2",
        picture=where / "tilemap.jpg",
        folder=where,
        illumination=ILLUMINATION,
        grids={1: [[t, *place] for t, place in scan.grid.items()]},
        instrument=INSTRUMENT,
        settings=StitchSettings(**settings),
    )


def stitch(project, where, found, **settings):
    flag = where / "tilemap-normal.found"
    write_flag(flag, "find_tilemap", outputs=found.outputs, tiles=found.tiles, unit=UNIT)
    return stitch_enface(
        processed=project[1],
        found=flag,
        overview=where / "overview.jpg",
        folder=where / "stitched",
        illumination=ILLUMINATION,
        grid=[[t, *place] for t, place in project[2].grid.items()],
        instrument=INSTRUMENT,
        settings=StitchSettings(**settings),
    )


@pytest.fixture(scope="module")
def found(project):
    return find(project, project[0] / "found")


@pytest.fixture(scope="module")
def stitched(project, found):
    return stitch(project, project[0] / "found", found)


def path_of(outcome, role):
    (path,) = (p.path for p in outcome.outputs if p.role == role)
    return Path(path)


def test_coordinates_agree_with_the_scan(project, found, position_errors):
    _, _, scan = project
    tilemap = read_tilemap(project[0] / "found" / "tilemap-normal.j2")
    errors = position_errors(tilemap.positions_px, scan.positions, scan.tissue - {MISSING})
    assert np.sqrt(np.mean(errors**2)) < 0.1
    assert MISSING in tilemap.positions_px


def test_coordinates_are_written_as_fiji_writes_them(project, found):
    tilemap = read_tilemap(project[0] / "found" / "tilemap-normal.j2")
    lines = read_tileconfig(project[0] / "found" / "TileConfiguration.registered.txt")
    assert len(lines) == 12
    assert lines[1].name == "mosaic_001_image_0002_aip.nii"
    assert (lines[1].x_px, lines[1].y_px) == pytest.approx(tilemap.positions_px[2], abs=1e-4)


def test_quality_of_the_coordinates_is_recorded(found):
    assert found.qc["residual_rms_px"] < 0.1
    assert found.qc["trusted_links_fraction"] == 1
    assert found.qc["tiles_without_trusted_link"] == 1
    assert {gate.name: gate.verdict for gate in found.gates} == {
        "residual_rms_px": "pass",
        "trusted_links_fraction": "pass",
    }


def test_mosaic_without_any_trusted_link_is_an_error(project, tmp_path):
    with pytest.raises(EstimateError, match="found no trusted link among"):
        find(project, tmp_path, min_confidence=1e6)


REFUSED = {
    "coordinates": ({"residual_rms_px": {"warn": 0, "fail": 0}}, r"of normal: found residual_rms"),
    "mosaic": ({"coverage_fraction": {"fail": 1}}, r"mosaic 1: found coverage_fraction 0\.9"),
}


@pytest.mark.parametrize(("gates", "message"), REFUSED.values(), ids=REFUSED)
def test_what_misses_a_bound_named_fail_is_refused(project, found, tmp_path, gates, message):
    step = find if "residual_rms_px" in gates else partial(stitch, found=found)
    with pytest.raises(EstimateError, match=message):
        step(project, tmp_path, gates=gates)


def test_every_map_is_written_in_three_formats(stitched):
    roles = {p.role for p in stitched.outputs}
    expected = {f"{m}{kind}" for m in MAPS for kind in ("", "_jpeg", "_tiff", "_tiles")}
    assert roles == expected | {"mask", "mask_jpeg", "overview"}
    shape = read_nifti(path_of(stitched, "aip")).shape
    with Image.open(path_of(stitched, "aip_jpeg")) as picture:
        assert picture.size == shape[::-1]
    assert tifffile.imread(path_of(stitched, "ret_tiff")).shape == shape


@pytest.mark.parametrize("modality", MAPS)
def test_tilemap_is_filled_in_for_every_map(project, stitched, modality):
    folder, _, scan = project
    template = jinja2.Template((folder / "found" / "tilemap-normal.j2").read_text())
    text = template.render(base_dir=folder, mosaic=1, modality=modality)
    listing = yaml.safe_load(path_of(stitched, f"{modality}_tiles").read_text())
    assert listing == yaml.safe_load(text)
    files = {tile["tile_number"]: Path(tile["filepath"]) for tile in listing["tiles"]}
    assert set(files) == set(scan.grid)
    assert [tile for tile, path in files.items() if not path.exists()] == [MISSING]


def test_headers_carry_the_true_pixel_size(stitched):
    assert read_voxel_size_mm(path_of(stitched, "ori")) == pytest.approx((0.012, 0.01, 0.2))
    image = nib.load(path_of(stitched, "mask"))
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.affine, np.diag([0.012, 0.01, 0.2, 1]), atol=1e-9)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")


def test_pictures_carry_the_true_pixel_size(stitched):
    with tifffile.TiffFile(path_of(stitched, "ori_tiff")) as file:
        x, y = (file.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")
    assert (x[1] / x[0], y[1] / y[0]) == pytest.approx((12, 10))
    with Image.open(path_of(stitched, "ori_jpeg")) as picture:
        assert picture.info["dpi"] == (round(25400 / 12), 2540)


def test_pixels_of_the_maps_lie_where_the_coordinates_say(project, stitched):
    tilemap = read_tilemap(project[0] / "found" / "tilemap-normal.j2")
    layout = tilemap.layout((64, 64))
    image = nib.load(path_of(stitched, "aip"))
    placement = layout.placement(1)
    alone = resampled(project[2].tiles[1], placement)[20:40, 20:40]
    y, x = (part.start + 20 for part in placement.where)
    found = np.asarray(image.dataobj)[x : x + 20, y : y + 20, 0].T
    np.testing.assert_allclose(found, alone, rtol=1e-5)
    assert image.shape[:2] == layout.shape[::-1]


def test_worst_seams_are_named_and_measured(stitched):
    assert stitched.qc["seams_worst_aip"].count("tiles ") == 3
    assert 1 < stitched.qc["seam_worst_ratio_aip"] < 2
    # Two tiles with noise of 1 dB each; placement smooths it, and the speckle of each its own way.
    assert 1 < stitched.qc["seam_rms_aip_db"] < 1.8
    assert 2 < stitched.qc["seam_rms_ori_deg"] < 3 * 2**0.5  # noise of 3 degrees, likewise


def test_formats_follow_the_settings(project, found, tmp_path):
    options = {"compress": True, "tiff_holes": "zero", "preview_px": 256, "modalities": ["ret"]}
    outcome = stitch(project, tmp_path, found, windows={"ret": (0, 30)}, **options)
    assert path_of(outcome, "ret").name == "mosaic_001_ret.nii.gz"
    ret = read_nifti(path_of(outcome, "ret"))
    assert np.isnan(ret).any()
    np.testing.assert_array_equal(tifffile.imread(path_of(outcome, "ret_tiff")), np.nan_to_num(ret))
    with Image.open(path_of(outcome, "ret_jpeg")) as picture:
        inside = np.asarray(picture)[16:32, 16:32].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(inside, (253, 231, 37), atol=4)  # the bright end of viridis


def test_previews_can_be_left_out(project, found, tmp_path):
    outcome = stitch(project, tmp_path, found, previews=False)
    pictures = {p.role for p in outcome.outputs if p.role.endswith(("_jpeg", "_tiff"))}
    assert pictures == {"mask_jpeg"}


def test_a_window_that_does_not_rise_is_refused():
    with pytest.raises(ValidationError, match=r"aip: found 80.0 to 50.0, expected a rising window"):
        StitchSettings(windows={"aip": (80, 50)})


def test_failed_tile_leaves_a_hole_and_is_named_with_its_reason(project, stitched):
    tilemap = read_tilemap(project[0] / "found" / "tilemap-normal.j2")
    x, y = (round(p) + 32 for p in tilemap.positions_px[MISSING])
    assert np.isnan(read_nifti(path_of(stitched, "ret"))[y, x])
    assert stitched.tiles.missing[0].reason == "spectral.nii: found 3 bytes, expected 9"
    assert stitched.warnings[0] == "1 of 12 tiles are holes: 5"
    assert 0.9 < stitched.qc["coverage_fraction"] < 0.99


def test_scalars_and_axes_are_blended_to_what_all_tiles_show(stitched):
    ret, ori = (read_nifti(path_of(stitched, role)) for role in ("ret", "ori"))
    assert np.nanmax(np.abs(ret - 30)) < 1e-3
    assert np.nanmin(np.abs(ori)) > 75


def test_mask_covers_the_tiles_and_empties_what_lies_outside(stitched):
    mask, aip = read_nifti(path_of(stitched, "mask")), read_nifti(path_of(stitched, "aip"))
    np.testing.assert_array_equal(mask == 0, np.isnan(aip))
    assert mask.mean() > 0.7


def test_stitching_again_gives_the_same_bytes(project, found, stitched, tmp_path):
    again = stitch(project, tmp_path, found)
    assert {p.role: p.id for p in again.outputs} == {p.role: p.id for p in stitched.outputs}


def test_mosaic_of_which_nothing_was_processed_is_a_hole(project, found, tmp_path):
    flag = tmp_path / "batch-001.processed"
    write_batch(tmp_path, flag, {}, missing=(1, 2, 3))
    outcome = stitch((tmp_path, [flag], project[2]), tmp_path, found)
    assert outcome.qc["coverage_fraction"] == 0
    assert len(outcome.tiles.missing) == 12
    assert np.isnan(read_nifti(path_of(outcome, "aip"))).all()


HOLES = {
    "first column": {1, 2, 3},
    "inner column": {4, 5, 6},
    "last column": {10, 11, 12},
    "all but one": set(range(1, 13)) - {8},
}


@pytest.fixture(scope="module", params=HOLES.values(), ids=HOLES)
def holed(request, project, found, tmp_path_factory):
    """The mosaic without some tiles; a batch without any has failed and left no flag."""
    folder = tmp_path_factory.mktemp("holed")
    flags = []
    for batch in range(4):
        ids = set(range(3 * batch + 1, 3 * batch + 4))
        if there := ids - request.param:
            flags.append(folder / f"batch-{batch + 1:03d}.processed")
            write_batch(folder, flags[-1], {t: project[2].tiles[t] for t in there}, ids - there)
    part = (folder, flags, project[2])
    return request.param, part, stitch(part, folder, found)


def test_missing_columns_are_holes_that_are_told(holed, project):
    missing, _, outcome = holed
    assert {hole.tile for hole in outcome.tiles.missing} == missing
    assert outcome.warnings[0].startswith(f"{len(missing)} of 12 tiles are holes: ")
    assert outcome.warnings[1].startswith("coverage_fraction: found 0.")
    assert {g.name: g.verdict for g in outcome.gates}["coverage_fraction"] == "warn"


def test_missing_columns_change_nothing_beside_them(holed, project, found):
    missing, _, outcome = holed
    layout = read_tilemap(project[0] / "found" / "tilemap-normal.j2").layout((64, 64))
    ret, mip = (read_nifti(path_of(outcome, role)) for role in ("ret", "mip"))
    reached = layout.counted(set(range(1, 13)) - missing) > 0
    assert np.isnan(ret[~reached]).all()
    assert outcome.qc["coverage_fraction"] == pytest.approx(
        reached.sum() / (layout.counted(range(1, 13)) > 0).sum()
    )
    assert np.nanmax(np.abs(ret - 30)) < 1e-3
    assert np.isfinite(mip).sum() > 0.9 * reached.sum()


def test_coordinates_are_found_beside_missing_columns(holed, tmp_path, position_errors):
    missing, project, _ = holed
    if len(missing) > 3:
        with pytest.raises(EstimateError, match="found no trusted link among 0"):
            find(project, tmp_path)
        return
    outcome = find(project, tmp_path)
    tilemap = read_tilemap(tmp_path / "tilemap-normal.j2")
    assert set(tilemap.positions_px) == set(range(1, 13))
    assert outcome.warnings[0].startswith("3 of 12 tiles are holes: ")


@pytest.fixture
def damaged(project, tmp_path):
    """Of tile 2 the retardance is cut short, of tile 3 the intensity is gone."""
    flag = tmp_path / "batch-001.processed"
    write_batch(tmp_path, flag, {t: project[2].tiles[t] for t in (1, 2, 3)})
    path = tmp_path / tile_name(1, 2, "ret")
    path.write_bytes(path.read_bytes()[:-100])
    (tmp_path / tile_name(1, 3, "aip")).unlink()
    return tmp_path, [flag, *project[1][1:]], project[2]


def test_corrupt_maps_of_tiles_are_holes_that_are_told(damaged, found):
    outcome = stitch(damaged, damaged[0], found)
    size = 352 + 4 * 64 * 64
    reasons = {hole.tile: hole.reason for hole in outcome.tiles.missing}
    assert set(reasons) == {3, MISSING}
    assert reasons[3].endswith(f"0003_aip.nii: found no file, expected {size} bytes")
    said = "\n".join(outcome.warnings)
    assert f"0002_ret.nii: found {size - 100} bytes, expected {size} bytes" in said
    assert "ret of tile 2 is a hole: " in said
    assert outcome.qc["coverage_fraction"] < 0.9
    holes = {role: np.isnan(read_nifti(path_of(outcome, role))).sum() for role in MAPS}
    assert holes["ret"] > holes["mip"]


def test_coordinates_are_found_without_corrupt_tiles(damaged):
    outcome = find(damaged, damaged[0])
    assert {hole.tile for hole in outcome.tiles.missing} == {3, MISSING}


def test_tiles_of_another_size_than_the_table_says_are_an_error(project, found, tmp_path):
    small = {t: tile[:-1] for t, tile in project[2].tiles.items()}
    write_batch(tmp_path, tmp_path / "batch-001.processed", small)
    with pytest.raises(DataError, match=r"_aip.nii: found pixels \(63, 64\), expected pixels"):
        stitch((tmp_path, [tmp_path / "batch-001.processed"], project[2]), tmp_path, found)


def test_products_are_listed_relative_to_where_they_lie(stitched):
    assert json.loads(stitched.model_dump_json())["outputs"][0]["path"].endswith("mask.nii")
