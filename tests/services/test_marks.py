import os

import pytest

from octflow.core.errors import DataError, SettingsError
from octflow.core.layout import MARKS
from octflow.core.part import Part
from octflow.io.marks import read_marks
from octflow.services.marks import mark
from octflow.services.state import peek_project
from octflow.services.state_text import lines_of
from octflow.workflow.config import read_config
from octflow.workflow.session import Session

ROWS = [{"name": name, "grid_size_x": 2} for name in ("normal", "tilted")]


class Bench:
    """Two slices of two mosaics of two batches of two tiles, all of which have come."""

    def __init__(self, folder):
        self.folder, self.project = folder, folder / "project"
        (folder / "raw").mkdir()
        self.project.mkdir()
        for mosaic in (1, 2, 3, 4):
            for tile in (1, 2, 3, 4):
                name = f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii"
                (folder / "raw" / name).write_bytes(b"1234")
                os.utime(folder / "raw" / name, (1e9, 1e9))

    @property
    def session(self):
        values = {
            "project": {"folder": str(self.project)},
            "acquisition": {"folder": str(self.folder / "raw")},
            "experiment": {"grid_size_y": 2, "illuminations": ROWS},
        }
        return Session(read_config(values), self.folder)

    def mark(self, kind, text="torn", **part):
        mark(self.session, Part(**part), kind, text)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_batch_on_hold_holds_its_mosaic_and_slice_and_nothing_else(bench):
    bench.mark("hold", mosaic=4, batch=2)
    wanted = bench.session
    assert len(wanted.batches["batch"]) == 7
    assert wanted.mosaics == ["001", "002", "003"]
    assert wanted.slices == wanted.stacked == ["001"]
    assert len(wanted.archived["batch"]) == 7


def test_a_mark_without_a_reason_is_refused(bench):
    with pytest.raises(SettingsError, match="slice 2: found no reason, expected why"):
        bench.mark("hold", " ", slice=2)


def test_a_mosaic_on_hold_holds_its_batches(bench):
    bench.mark("hold", mosaic=4)
    assert set(bench.session.batches["mosaic"]) == {"001", "002", "003"}


def test_a_slice_on_hold_is_left_out_of_the_stack_and_comes_back_when_released(bench):
    before = bench.session.reference_mosaics
    bench.mark("hold", slice=2)
    assert bench.session.reference_mosaics == before[:1]
    bench.mark("release", slice=2)
    assert bench.session.reference_mosaics == before


def test_mosaics_wait_for_the_one_their_coordinates_are_found_on(bench):
    bench.mark("hold", mosaic=1)
    assert bench.session.mosaics == ["002", "004"]


def test_status_says_what_is_on_hold_and_why_and_what_was_noted(bench):
    bench.mark("hold", "ask Anna", slice=2)
    bench.mark("note", "laser drifted", mosaic=1, batch=2)
    state = peek_project(bench.session)
    said = "\n".join(lines_of(state))
    assert "on hold: slice 2: ask Anna (" in said
    assert "mosaic 1 batch 2: laser drifted (" in said
    assert state.slices[1].mosaics[0].batches[0].jobs["process_batch"] == "waiting"
    assert state.slices[1].mosaics[0].batches[0].absent == ()
    assert any("on hold: slice 2" in line for line in bench.session.remarks())


def test_a_decision_that_changes_nothing_is_refused_in_words(bench):
    bench.mark("hold", "torn", slice=1)
    with pytest.raises(SettingsError, match=r"slice 1: found it on hold \(torn\)"):
        bench.mark("hold", slice=1)
    with pytest.raises(SettingsError, match="slice 2: found it free"):
        bench.mark("release", slice=2)
    with pytest.raises(SettingsError, match="mosaic 1 batch 3: found no such batch"):
        bench.mark("hold", mosaic=1, batch=3)
    assert len(read_marks(bench.project)) == 1


def test_a_file_of_marks_that_is_none_is_refused_with_its_name(bench):
    (bench.project / MARKS).parent.mkdir()
    (bench.project / MARKS).write_text('[{"kind": "paused"}]')
    with pytest.raises(DataError, match=r"marks\.json"):
        _ = bench.session.ready.holds
