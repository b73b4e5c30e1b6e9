from dataclasses import replace

import pytest

from octflow.core.errors import OctflowError, TileError
from octflow.core.record import Unit
from octflow.workflow.records import Attempt
from octflow.workflow.retry import back_off, refuse_defect

WAIT_S = 0.05


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """An attempt of a job of a project in the working folder."""
    monkeypatch.chdir(tmp_path)
    told = {"unit": Unit(project="p", slice=1), "flags": [], "parameters": {}}
    pool = {"stage_version": 1, "pool": "register", "threads": 1}
    return Attempt(stage="register", rule="register_slice", **told, **pool)


@pytest.mark.parametrize(
    ("kind", "waited_s"), [("transient", WAIT_S), ("resource", WAIT_S), ("data", 0), ("code", 0)]
)
def test_only_what_may_pass_by_itself_is_waited_out(attempt, kind, waited_s):
    attempt.keep(attempt.failed(OSError("Stale file handle"), kind))
    assert back_off(attempt.folder, WAIT_S) == waited_s


def test_the_last_attempt_counts(attempt):
    attempt.keep(attempt.failed(OSError("Stale file handle"), "transient"))
    attempt.keep(attempt.failed(ValueError("no"), "data"))
    assert back_off(attempt.folder, WAIT_S) == 0


def test_a_first_attempt_does_not_wait(attempt):
    assert back_off(attempt.folder, WAIT_S) == 0
    attempt.keep(attempt.failed(OSError("Stale file handle"), "transient"))
    assert back_off(attempt.folder, 0) == 0


DEFECT = TileError("tile 3: no_such_function", kind="code")


def by(attempt, backend, error=DEFECT):
    """An attempt of the same job by a backend, that failed."""
    told = replace(attempt, parameters={"settings": {"backend": backend}})
    told.keep(told.failed(error, error.kind))


def test_a_defect_of_a_function_is_not_run_into_again_in_the_same_run(attempt):
    by(attempt, "matlab")
    refuse_defect(attempt.folder, 0)
    with pytest.raises(OctflowError, match="not tried again: TileError: tile 3") as refused:
        refuse_defect(attempt.folder, WAIT_S)
    by(attempt, "matlab", refused.value)
    with pytest.raises(OctflowError, match=r"^not tried again: TileError: tile 3"):
        refuse_defect(attempt.folder, WAIT_S)


@pytest.mark.parametrize(
    ("backend", "error"),
    [("python", DEFECT), ("octave", TileError("tile 3: no licence", kind="transient"))],
)
def test_other_failures_are_tried_again(attempt, backend, error):
    by(attempt, backend, error)
    refuse_defect(attempt.folder, WAIT_S)
