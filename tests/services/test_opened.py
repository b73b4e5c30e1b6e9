import json
import multiprocessing

import pytest

from octflow.core.layout import flag
from octflow.core.part import Part
from octflow.io.lock import LostLockError
from octflow.io.marks import read_marks
from octflow.io.missing import declare_missing, read_missing
from octflow.services.opened import (
    open_batch,
    open_mosaic,
    open_project,
    open_slice,
    read_batch,
    read_mosaic,
    read_project,
    read_slice,
)
from octflow.services.retire import state_lock
from octflow.workflow.config import read_config
from octflow.workflow.session import Session

from flags import write_flag

FORK = multiprocessing.get_context("fork")
BATCH = str(flag("process_batch", mosaic=1, batch=1))
MOSAIC = str(flag("stitch_enface", mosaic=1))
SLICE = str(flag("register_slice", slice=1))
OTHER = str(flag("stitch_enface", mosaic=4))
STACK = str(flag("stack_slices"))


@pytest.fixture
def session(tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    rows = [{"name": name, "grid_size_x": 2} for name in ("normal", "tilted")]
    values = {"project": {"folder": str(project)}, "experiment": {"illuminations": rows}}
    for path in (BATCH, MOSAIC, SLICE, OTHER, STACK):
        write_flag(project / path)
    return Session(read_config(values), tmp_path)


def number_notes(session, times):
    for _ in range(times):
        with open_batch(session, 1, 1, "count") as opened:
            opened.note(str(len(opened.marks)))


def test_no_change_of_processes_that_contend_is_lost(session):
    processes = [FORK.Process(target=number_notes, args=(session, 12)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [mark.text for mark in read_batch(session, 1, 1).marks] == [str(n) for n in range(60)]


def test_no_declared_tile_of_processes_that_contend_is_lost(session):
    tiles = range(1, 21)
    processes = [
        FORK.Process(target=declare_missing, args=(session.project, 1, [tile], "off"))
        for tile in tiles
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(tile for _, tile in read_missing(session.project)) == list(tiles)


def test_every_level_sees_the_flags_in_it(session):
    assert set(read_batch(session, 1, 1).flags) == {BATCH}
    assert set(read_mosaic(session, 1).flags) == {BATCH, MOSAIC}
    assert set(read_slice(session, 1).flags) == {BATCH, MOSAIC, SLICE}
    assert set(read_project(session).flags) == {BATCH, MOSAIC, SLICE, OTHER, STACK}


def test_a_view_cannot_be_changed(session):
    with pytest.raises(TypeError):
        read_mosaic(session, 1).flags[MOSAIC] = None


def test_a_flag_that_is_deleted_lies_in_the_history_with_who_when_and_why(session):
    before = (session.project / MOSAIC).read_bytes()
    with open_mosaic(session, 1, "blurred") as opened:
        del opened.flags[MOSAIC]
        assert (session.project / MOSAIC).exists()
    (told,) = (session.project / "lineage" / "retired").glob("*/retired.json")
    assert not (session.project / MOSAIC).exists()
    assert (told.parent / MOSAIC).read_bytes() == before
    assert json.loads(told.read_text())["reason"] == "blurred"
    assert set(json.loads(told.read_text())) == {"at", "by", "reason", "files"}


def test_a_flag_that_is_set_is_written(session):
    with open_slice(session, 1, "copied") as opened:
        opened.flags[SLICE] = opened.flags[MOSAIC]
    assert read_slice(session, 1).flags[SLICE].rule == "stitch_enface"


def test_what_is_no_flag_is_refused(session):
    with pytest.raises(KeyError, match="no flag"), open_slice(session, 1, "x") as opened:
        opened.flags["state/slice-001.done"] = opened.flags[SLICE]


def change(session, end):
    with open_project(session, "oops") as opened:
        opened.note("never")
        del opened.flags[STACK]
        end()


def test_nothing_is_written_when_the_block_raises(session):
    with pytest.raises(ZeroDivisionError):
        change(session, lambda: 1 / 0)
    assert read_marks(session.project) == []
    assert (session.project / STACK).exists()


def test_nothing_is_written_when_the_lock_was_lost(session):
    lock = state_lock(session.project)
    with pytest.raises(LostLockError):
        change(session, lambda: lock.take_away(lock.holder()))
    assert read_marks(session.project) == []
    assert (session.project / STACK).exists()


def test_marks_are_of_their_part_alone(session):
    with open_mosaic(session, 1, "look") as opened:
        opened.note("good")
    assert [mark.part for mark in read_mosaic(session, 1).marks] == [Part(mosaic=1)]
    assert read_batch(session, 1, 1).marks == ()
