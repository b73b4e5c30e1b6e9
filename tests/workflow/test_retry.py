import pytest

from octflow.core.record import Unit
from octflow.workflow.records import Attempt
from octflow.workflow.retry import back_off

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
