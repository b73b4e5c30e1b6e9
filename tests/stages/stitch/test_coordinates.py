from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from octflow.core.errors import EstimateError
from octflow.stages.stitch.coordinates import find_positions
from octflow.stages.stitch.links import Link
from octflow.stages.stitch.solve import solve_positions


def found_positions(scan, missing=(), **options):
    options = {"search_px": 24, "min_confidence": 6, "mask_threshold_db": 60} | options
    tiles = {t: tile[None] for t, tile in scan.tiles.items() if t not in missing}
    return find_positions(tiles, scan.grid, step_px=scan.step_px, **options)


def rms(errors):
    return float(np.sqrt(np.mean(errors**2)))


CASES = {
    "demo": {},
    "noisy": {"noise_db": 3.0},
    "narrow tiles": {"tile_px": (64, 48), "grid_size": (5, 3)},
    "backlash": {"backlash_px": 4.0, "grid_size": (6, 4)},
    "skew of 2 degrees": {"skew_deg": 2.0},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_positions_are_found_to_a_tenth_of_a_pixel(cut_scan, position_errors, case):
    scan = cut_scan(**case)
    solution = found_positions(scan)
    errors = position_errors(solution.positions_px, scan.positions, scan.tissue)
    assert rms(errors) < 0.1
    assert np.abs(errors).max() < 0.25
    assert solution.residual_rms_px < 0.1


def test_links_are_as_good_as_their_precision_says(cut_scan):
    scan = cut_scan(grid_size=(6, 5), noise_db=2.0)
    squared = []
    for link in found_positions(scan).links:
        error = np.subtract(link.offset_px, scan.positions[link.second])
        error += scan.positions[link.first]
        xx, yy, xy = link.precision
        squared.append(xx * error[0] ** 2 + 2 * xy * error[0] * error[1] + yy * error[1] ** 2)
    assert 0.3 < np.median(squared) / (2 * np.log(2)) < 3


def test_tiles_of_noise_have_no_trusted_link(cut_scan):
    scan = cut_scan(grid_size=(6, 5), background=range(2, 31))
    scan.tiles.update({t: tile + 20 for t, tile in scan.tiles.items() if t > 1})
    with pytest.raises(EstimateError, match="found no trusted link among"):
        found_positions(scan)


def test_smallest_position_is_zero(cut_scan):
    positions = np.array(list(found_positions(cut_scan()).positions_px.values()))
    np.testing.assert_array_equal(positions.min(axis=0), 0)


def test_background_tiles_follow_the_lattice_and_disturb_nothing(cut_scan, position_errors):
    scan = cut_scan(background=(1, 2, 3), seed=2)
    solution = found_positions(scan)
    assert rms(position_errors(solution.positions_px, scan.positions, scan.tissue)) < 0.1
    # Without texture a tile is known as well as the stage is repeatable: jitter of 1 px.
    assert rms(position_errors(solution.positions_px, scan.positions, scan.grid)) < 1.5


def test_missing_tile_is_placed_by_the_lattice(cut_scan, position_errors):
    scan = cut_scan(jitter_px=0.3)
    solution = found_positions(scan, missing={5})
    assert set(solution.positions_px) == set(scan.grid)
    assert np.abs(position_errors(solution.positions_px, scan.positions, scan.grid)).max() < 1


def test_missing_grid_column_does_not_tear_the_mosaic(cut_scan, position_errors):
    scan = cut_scan(grid_size=(5, 3), jitter_px=0.3)
    solution = found_positions(scan, missing={7, 8, 9})
    present = scan.tissue - {7, 8, 9}
    assert np.abs(position_errors(solution.positions_px, scan.positions, present)).max() < 1.5


def test_links_over_background_are_not_measured(cut_scan):
    solution = found_positions(cut_scan(background=(1, 2, 3)))
    verdicts = Counter(link.verdict for link in solution.links)
    assert verdicts["background"] == 5
    assert verdicts["trusted"] == 12


def exact_links(positions, grid, wrong=()):
    """Links between all neighbours, measured without error but for some."""
    links = []
    for tile, (x, y) in grid.items():
        for other, place in grid.items():
            if place in {(x + 1, y), (x, y + 1)}:
                along = "x" if place[1] == y else "y"
                offset = np.subtract(positions[other], positions[tile])
                offset = offset + np.array([17.0, -9.0]) * ((tile, other) in wrong)
                precision = (1e3, 1e3, 0.0)
                links.append(Link(tile, other, along, tuple(offset), 9, 0.5, precision, "trusted"))
    return links


def lattice(size_x=5, size_y=4, jitter_px=1.0):
    rng = np.random.default_rng(0)
    grid = {x * size_y + y + 1: (x, y) for x in range(size_x) for y in range(size_y)}
    places = {t: np.array([100 * x - 2 * y, 90 * y + x]) for t, (x, y) in grid.items()}
    return grid, {t: p + rng.normal(0, jitter_px, 2) for t, p in places.items()}


def test_wrong_links_are_found_by_their_inconsistency(position_errors):
    grid, positions = lattice()
    wrong = {(6, 10), (7, 8), (15, 19)}
    solution = solve_positions(grid, exact_links(positions, grid, wrong), (100, 90))
    assert np.abs(position_errors(solution.positions_px, positions, grid)).max() < 0.05
    found = {(k.first, k.second) for k in solution.links if k.verdict == "inconsistent"}
    assert found == wrong


def test_tile_without_links_is_placed_by_its_neighbours(position_errors):
    grid, positions = lattice(jitter_px=0.0)
    links = [k for k in exact_links(positions, grid) if 10 not in {k.first, k.second}]
    solution = solve_positions(grid, links, (95, 95))
    assert np.abs(position_errors(solution.positions_px, positions, grid)).max() < 0.05


def test_doubtful_link_counts_where_the_stage_makes_such_steps(position_errors):
    grid, positions = lattice(jitter_px=3.0)
    weak = {"confidence": 4.6, "verdict": "unclear"}
    links = exact_links(positions, grid, wrong={(19, 20)})
    links = [replace(k, **weak) if 20 in {k.first, k.second} else k for k in links]
    solution = solve_positions(grid, links, (100, 90))
    verdicts = {(k.first, k.second): k.verdict for k in solution.links}
    assert (verdicts[16, 20], verdicts[19, 20]) == ("trusted", "unclear")
    assert np.abs(position_errors(solution.positions_px, positions, grid)).max() < 0.05


def test_coarse_texture_serves_where_tiles_share_no_speckle(position_errors):
    rng = np.random.default_rng(3)
    grid = {3 * x + y: (x, y) for x in range(3) for y in range(3)}
    sample = 1.2 * ndimage.gaussian_filter(rng.normal(size=(420, 420)), 1.5) / 0.19
    positions = {t: 100 * np.array(place) + rng.integers(9, size=2) for t, place in grid.items()}
    tiles = {
        t: 70 + sample[y : y + 150, x : x + 150] + rng.normal(0, 3, (150, 150))
        for t, (x, y) in positions.items()
    }
    options = {"search_px": 12, "min_confidence": 6, "mask_threshold_db": 60}
    solution = find_positions(tiles, grid, step_px=(100, 100), **options)
    assert rms(position_errors(solution.positions_px, positions, grid)) < 0.1


class Counted(dict):
    """Tiles that count how often each is read."""

    def __init__(self, tiles):
        super().__init__(tiles)
        self.reads = Counter()

    def __getitem__(self, tile):
        self.reads[tile] += 1
        return super().__getitem__(tile)


def test_tiles_are_read_once_besides_those_that_choose_the_texture(cut_scan):
    scan = cut_scan(grid_size=(12, 3))
    tiles = Counted(scan.tiles)
    options = {"search_px": 8, "min_confidence": 6, "mask_threshold_db": 60}
    find_positions(tiles, scan.grid, step_px=scan.step_px, **options)
    sample = 2 * 6
    assert set(tiles.reads) == set(scan.grid)
    assert tiles.reads.total() <= len(scan.grid) + sample


def test_empty_rim_of_a_tile_is_left_out(cut_scan, position_errors):
    scan = cut_scan()
    scan.tiles[5][:, :4] = np.nan
    scan.tiles[8][-5:, 20:] = np.nan
    errors = position_errors(found_positions(scan).positions_px, scan.positions, scan.tissue)
    assert rms(errors) < 0.1


def test_no_trusted_link_is_an_error():
    with pytest.raises(EstimateError, match="found no trusted link among 0"):
        solve_positions({1: (0, 0), 2: (1, 0)}, [], (100, 90))


def test_single_tile_lies_at_the_origin():
    assert solve_positions({7: (0, 0)}, [], (100, 90)).positions_px == {7: (0.0, 0.0)}
