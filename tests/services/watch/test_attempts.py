import pytest

from octflow.services.watch.attempts import Attempts
from octflow.services.watch.targets import Target
from octflow.workflow.lanes import WatchSettings

BAD, GOOD = Target("bad", "1"), Target("good", "1")


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempts(clock):
    settings = WatchSettings(max_attempts=3, first_wait_s=10, longest_wait_s=15)
    return Attempts(settings, now_s=clock)


def test_waits_double_up_to_the_longest(attempts):
    assert [attempts.wait_s(failures) for failures in (1, 2, 3)] == [10, 15, 15]


def test_a_failed_target_is_tried_again_after_its_wait_only(attempts, clock):
    attempts.failed(BAD)
    clock.now_s += 9.9
    assert attempts.due([BAD]) == []
    clock.now_s += 0.1
    assert attempts.due([BAD]) == [BAD]


def test_a_clock_that_is_set_back_does_not_make_a_wait_longer(attempts, clock):
    attempts.failed(BAD)
    clock.now_s -= 1e5
    assert attempts.due([BAD]) == [BAD]


def test_what_failed_is_tried_alone(attempts, clock):
    for name in ("bad", "worse"):
        attempts.failed(Target(name, "1"))
    clock.now_s += 100
    assert attempts.due([BAD, Target("worse", "1"), GOOD]) == [GOOD]
    assert attempts.due([BAD, Target("worse", "1")]) == [BAD]


def test_a_target_is_given_up_until_its_inputs_change(attempts, clock):
    assert [attempts.failed(BAD).given_up for _ in range(3)] == [False, False, True]
    clock.now_s += 1e6
    assert attempts.due([BAD]) == []
    assert attempts.due([Target("bad", "2")]) == [Target("bad", "2")]


def test_the_next_watcher_knows_what_was_given_up(attempts):
    for _ in range(3):
        attempts.failed(BAD)
    later = Attempts(attempts.settings, now_s=lambda: 1e9)
    later.restore(attempts.plain())
    assert later.given_up(BAD)
    assert later.due([BAD, GOOD]) == [GOOD]


def test_what_an_earlier_version_wrote_down_otherwise_is_begun_anew(attempts):
    attempts.failed(GOOD)
    later = Attempts(attempts.settings, now_s=lambda: 1e9)
    later.restore({"bad": {"inputs": "1", "tries": 2}, **attempts.plain()})
    assert later.plain() == attempts.plain()


def test_what_was_made_by_others_is_no_longer_given_up(attempts):
    for _ in range(3):
        attempts.failed(BAD)
        attempts.failed(GOOD)
    attempts.forget(lambda path: path == "bad")
    assert list(attempts.all_given_up()) == ["good"]


def test_a_success_ends_the_count(attempts):
    attempts.failed(BAD)
    attempts.succeeded(BAD, changed=True)
    assert attempts.plain() == {}
    assert attempts.due([BAD]) == [BAD]
