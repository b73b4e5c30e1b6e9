"""Coordinates of a mosaic whose stage drifted, against where its tiles truly lie."""

import numpy as np
import pytest

from octflow.core.experiment import Illumination
from octflow.core.names import tile_name
from octflow.core.record import Tiles
from octflow.io.nifti import write_nifti
from octflow.io.records import product
from octflow.io.tilemap import Tilemap, read_tilemap, write_tilemap
from octflow.stages.stitch.coordinates import find_links
from octflow.stages.stitch.files import refine_tilemap
from octflow.stages.stitch.refine import refine_positions
from octflow.stages.stitch.settings import StitchSettings

from flags import write_flag

ROW = Illumination(
    name="normal", grid_size_x=5, tile_size_x_px=64, tile_size_y_px=64, overlap_fraction=0.25
)
STAGE = {"grid_size": (5, 3), "jitter_px": 1.0, "seed": 6}
UNIT = {"slice": 2, "mosaic": 2, "illumination": "normal"}


@pytest.fixture(scope="module")
def first(cut_scan):
    """The slice that gave the template."""
    return cut_scan(**STAGE)


@pytest.fixture(scope="module")
def drifted(cut_scan):
    """Another slice: from column to column the stage drifts by 1.2 and 0.9 px."""
    return cut_scan(**STAGE, slice_seed=20, drift_px=(1.2, -0.9), background=(7, 8))


def links_of(scan):
    search = {"search_px": 24, "min_confidence": 6, "mask_threshold_db": 60}
    return find_links(scan.tiles, scan.grid, step_px=scan.step_px, **search)


def rms(errors):
    return float(np.sqrt(np.mean(errors**2)))


def test_drift_is_followed_to_a_tenth_of_a_pixel(first, drifted, position_errors):
    template = first.positions
    refined = refine_positions(template, drifted.grid, links_of(drifted), refine_px=8)
    positions = refined.solution.positions_px
    assert rms(position_errors(template, drifted.positions, drifted.tissue)) > 1
    assert rms(position_errors(positions, drifted.positions, drifted.tissue)) < 0.1
    # Tiles without texture move on as their neighbours do.
    assert np.abs(position_errors(positions, drifted.positions, drifted.grid)).max() < 0.6
    assert refined.kept is None


def test_the_mosaic_stays_where_it_is(first, drifted):
    refined = refine_positions(first.positions, drifted.grid, links_of(drifted), refine_px=8)
    tissue = [t - 1 for t in sorted(drifted.tissue)]
    np.testing.assert_allclose(refined.moved_px[tissue].mean(axis=0), 0, atol=1e-9)
    assert np.min(list(refined.solution.positions_px.values()), axis=0).min() >= 0


def test_a_stage_that_repeats_itself_is_hardly_moved(first, cut_scan):
    again = cut_scan(**STAGE, slice_seed=21)
    refined = refine_positions(first.positions, again.grid, links_of(again), refine_px=8)
    assert np.abs(refined.moved_px).max() < 0.2


def test_residuals_are_those_of_the_refined_positions(first, drifted):
    refined = refine_positions(first.positions, drifted.grid, links_of(drifted), refine_px=8)
    positions = refined.solution.positions_px
    for link, residual in zip(refined.solution.links, refined.solution.residuals_px, strict=True):
        if link.verdict == "trusted":
            step = np.subtract(positions[link.second], positions[link.first])
            np.testing.assert_allclose(residual, np.subtract(link.offset_px, step), atol=1e-9)


@pytest.mark.parametrize(
    ("refine_px", "links", "why"),
    [
        (1.5, slice(None), "a tile would move by 2"),
        (8, slice(3), "3 trusted links"),
        (8, slice(0), "no trusted link"),
    ],
)
def test_the_template_is_kept_where_refinement_is_not_safe(first, drifted, refine_px, links, why):
    some = [link for link in links_of(drifted) if link.verdict == "trusted"][links]
    refined = refine_positions(first.positions, drifted.grid, some, refine_px=refine_px)
    assert refined.kept.startswith(why)
    assert refined.solution.positions_px == first.positions


def refine(folder, first, scan, **settings):
    """Run the rule's function on real files; return coordinates and outcome."""
    template = Tilemap("normal", (0.01, 0.01, 0.0025), (16, 16), first.positions, first.grid)
    write_tilemap(folder / "tilemap-normal.j2", template)
    listed = [product(folder / "tilemap-normal.j2", "tilemap")]
    found = write_flag(folder / "tilemap-normal.found", "find_tilemap", outputs=listed)
    outputs = []
    for tile, aip in scan.tiles.items():
        path = folder / tile_name(2, tile, "aip")
        write_nifti(path, aip, voxel_size_mm=(0.01, 0.01, 0.2))
        outputs.append(product(path, "aip", tile))
    flag, told = folder / "batch-001.processed", Tiles(ok=sorted(scan.tiles))
    write_flag(flag, "process_batch", outputs=outputs, tiles=told, unit=UNIT)
    outcome = refine_tilemap(
        processed=[flag],
        found=found,
        tilemap=folder / "mosaic_002_tilemap.j2",
        picture=folder / "tilemap.jpg",
        illumination=ROW,
        grid=[[t, *place] for t, place in scan.grid.items()],
        settings=StitchSettings(link_modalities=("aip",), **settings),
    )
    return read_tilemap(folder / "mosaic_002_tilemap.j2"), outcome


def test_a_mosaic_gets_a_tilemap_of_its_own(first, drifted, tmp_path, position_errors):
    tilemap, outcome = refine(tmp_path, first, drifted)
    errors = position_errors(tilemap.positions_px, drifted.positions, drifted.tissue)
    assert rms(errors) < 0.1
    assert tilemap.overlap_px == (16, 16)
    assert outcome.qc["refined"] == 1
    assert 1 < outcome.qc["moved_rms_px"] < outcome.qc["moved_max_px"] < 4
    assert outcome.warnings == []


def test_a_mosaic_that_moves_too_far_keeps_the_template_and_says_so(first, drifted, tmp_path):
    tilemap, outcome = refine(tmp_path, first, drifted, refine_px=1.5)
    assert tilemap.positions_px[8] == pytest.approx(first.positions[8], abs=1e-4)
    assert outcome.qc["refined"] == 0
    assert outcome.warnings[0].startswith("coordinates of the template are kept: a tile would")
