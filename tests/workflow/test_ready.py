import json
import os
from pathlib import Path

import pytest

from octflow.core.layout import flag
from octflow.io.missing import declare_missing
from octflow.workflow.config import read_config
from octflow.workflow.ready import Ready
from octflow.workflow.remarks import remarks_of

ROWS = [
    {"name": "normal", "grid_size_x": 2},
    {"name": "tilted", "grid_size_x": 1, "tilt_deg": -15},
]
CONFIG = read_config({"experiment": {"grid_size_y": 2, "illuminations": ROWS}})
NOW_S = 1_000_000.0


@pytest.fixture
def bench(tmp_path):
    """An acquisition folder, and what is ready in it."""

    class Bench:
        raw = tmp_path / "raw"
        project = tmp_path / "project"
        config = CONFIG

        def arrive(self, mosaic, tiles, age_s=100):
            self.raw.mkdir(exist_ok=True)
            for tile in tiles:
                path = self.raw / f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_{tile:04d}.nii"
                path.write_bytes(b"1234")
                os.utime(path, (NOW_S - age_s,) * 2)

        @property
        def ready(self):
            return Ready(self.config, self.project, self.raw, now_s=lambda: NOW_S)

    return Bench()


def test_nothing_is_ready_before_the_first_tile(bench):
    assert (bench.ready.batches, bench.ready.mosaics, bench.ready.slices) == ([], [], [])


def test_a_batch_is_ready_when_its_last_tile_is_there(bench):
    bench.arrive(1, [1])
    assert bench.ready.batches == []
    bench.arrive(1, [2, 3])
    assert bench.ready.batches == [(1, 1)]
    assert [str(w) for w in bench.ready.waiting] == ["mosaic 1 batch 2: tiles [4] have not arrived"]


def test_a_tile_that_is_still_changing_is_waited_for(bench):
    bench.arrive(2, [1])
    bench.arrive(2, [2], age_s=5)
    assert bench.ready.batches == []
    assert str(bench.ready.waiting[0]) == "mosaic 2 batch 1: tiles [2] are still changing"


def test_mosaics_and_slices_follow_their_batches(bench):
    bench.arrive(1, [1, 2, 3, 4])
    assert (bench.ready.mosaics, bench.ready.slices) == ([1], [])
    bench.arrive(2, [1, 2])
    assert (bench.ready.mosaics, bench.ready.slices) == ([1, 2], [1])


def test_a_slice_of_which_a_mosaic_has_not_come_is_told(bench):
    bench.arrive(1, [1])
    assert bench.ready.unseen == {1: [2]}
    assert "waiting: slice 1: nothing of mosaics [2] has arrived" in remarks_of(bench.ready)
    declare_missing(bench.project, 2, [1, 2], "laser off")
    assert bench.ready.unseen == {}


def test_a_mosaic_waits_for_the_slice_that_gives_the_coordinates(bench):
    bench.arrive(3, [1, 2, 3, 4])
    assert bench.ready.batches == [(3, 1), (3, 2)]
    assert bench.ready.mosaics == []


def test_coordinates_of_several_slices_wait_for_all_of_them(bench):
    stitch = CONFIG.stitch.model_copy(update={"template_slices": (1, 2)})
    bench.config = CONFIG.model_copy(update={"stitch": stitch})
    bench.arrive(1, [1, 2, 3, 4])
    bench.arrive(2, [1, 2])
    assert bench.ready.mosaics == []
    assert bench.ready.without_coordinates == {1: [3], 2: [4]}
    bench.arrive(3, [1, 2, 3, 4])
    assert bench.ready.mosaics == [1, 3]
    assert bench.ready.without_coordinates == {2: [4]}


def test_a_declared_hole_counts_as_there_and_keeps_its_reason(bench):
    bench.arrive(2, [1])
    declare_missing(bench.project, 2, [2], "laser off")
    assert bench.ready.batches == [(2, 1)]
    assert bench.ready.inventory(2, 1)[1] == {"tile": 2, "missing": "laser off"}


def test_two_files_for_one_tile_are_a_hole_that_names_both(bench):
    bench.arrive(2, [1, 2])
    (bench.raw / "mosaic_002_image_0002_spectral_0099.nii").write_bytes(b"5678")
    missing = bench.ready.inventory(2, 1)[1]["missing"]
    assert "spectral_0002.nii" in missing
    assert "spectral_0099.nii" in missing


def test_a_tile_that_is_being_compressed_is_one_tile(bench):
    bench.arrive(2, [1, 2])
    plain = bench.raw / "mosaic_002_image_0002_spectral_0002.nii"
    packed = plain.with_name(f"{plain.name}.gz")
    packed.write_bytes(b"half")
    assert bench.ready.inventory(2, 1)[1]["path"] == str(plain)
    plain.unlink()
    os.utime(packed, (NOW_S - 100,) * 2)
    assert bench.ready.inventory(2, 1)[1]["path"] == str(packed)


def test_a_file_moved_away_after_it_was_taken_in_changes_nothing(bench):
    bench.arrive(2, [1, 2])
    inventory = bench.ready.inventory(2, 1)
    path = bench.project / flag("start_batch", mosaic=2, batch=1)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"parameters": {"inventory": inventory}}))
    next(bench.raw.iterdir()).unlink()
    assert bench.ready.inventory(2, 1) == inventory
    assert bench.ready.batches == [(2, 1)]


def test_a_rewritten_tile_changes_the_inventory(bench):
    bench.arrive(2, [1, 2])
    before = bench.ready.inventory(2, 1)
    bench.arrive(2, [2], age_s=50)
    assert bench.ready.inventory(2, 1) != before


def test_restarted_numbering_is_shifted_to_logical_ids(bench):
    acquisition = CONFIG.acquisition.model_copy(update={"slice_offset": 2})
    bench.config = CONFIG.model_copy(update={"acquisition": acquisition})
    bench.arrive(2, [1, 2])
    assert bench.ready.batches == [(6, 1)]


@pytest.mark.parametrize("named", [3, 4])
def test_an_interleaved_file_serves_all_mosaics_of_its_slice(bench, named):
    rows = [{**row, "grid_size_x": 1} for row in ROWS]
    bench.config = read_config(
        {
            "experiment": {"grid_size_y": 2, "illuminations": rows},
            "acquisition": {"interleaved": True},
        }
    )
    bench.arrive(named, [1, 2])
    assert bench.ready.batches == [(3, 1), (4, 1)]
    paths = [[e["path"] for e in bench.ready.inventory(m, 1)] for m in (3, 4)]
    assert paths[0] == paths[1]


def test_other_formats_in_the_folder_are_left_alone(bench):
    bench.arrive(2, [1, 2])
    (bench.raw / "mosaic_002_image_0002_processed.nii").write_bytes(b"5678")
    assert "path" in bench.ready.inventory(2, 1)[1]


def test_a_processed_tile_waits_for_all_its_files(bench):
    acquisition = {"format": "processed_with_spectral", "delivered": ("dBI", "aip")}
    acquisition = CONFIG.acquisition.model_copy(update=acquisition)
    bench.config = CONFIG.model_copy(update={"acquisition": acquisition})
    bench.arrive(2, [1, 2])
    assert bench.ready.batches == []
    for tile, role in [(1, "dBI"), (1, "AIP"), (2, "dbi"), (2, "aip")]:
        assert bench.ready.batches == []
        path = bench.raw / f"mosaic_002_image_{tile:04d}_{role}.nii"
        path.write_bytes(b"567")
        os.utime(path, (NOW_S - 100,) * 2)
    assert bench.ready.batches == [(2, 1)]
    entry = bench.ready.inventory(2, 1)[0]
    assert [Path(f["path"]).name[-7:] for f in entry["files"].values()] == ["dBI.nii", "AIP.nii"]
    assert entry["archive"]["path"].endswith("0001_spectral_0001.nii")


def test_a_tile_delivered_twice_is_used_as_complex_and_archived_as_spectra(bench):
    acquisition = CONFIG.acquisition.model_copy(update={"format": "complex_with_spectral"})
    bench.config = CONFIG.model_copy(update={"acquisition": acquisition})
    bench.arrive(2, [1, 2])
    assert bench.ready.batches == []
    for tile in (1, 2):
        path = bench.raw / f"mosaic_002_image_{tile:04d}_processed.nii"
        path.write_bytes(b"567")
        os.utime(path, (NOW_S - 100,) * 2)
    assert bench.ready.batches == [(2, 1)]
    entry = bench.ready.inventory(2, 1)[0]
    assert entry["path"].endswith("0001_processed.nii")
    assert entry["archive"]["path"].endswith("0001_spectral_0001.nii")
