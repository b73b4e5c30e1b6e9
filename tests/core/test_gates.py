import numpy as np
import pytest

from octflow.core.gates import AtLeast, AtMost, judged


@pytest.mark.parametrize(
    ("bound", "verdicts"),
    [
        (AtLeast(warn=10, fail=3), ["fail", "warn", "pass"]),
        (AtMost(warn=3, fail=10), ["pass", "warn", "fail"]),
        (AtLeast(fail=3), ["fail", "pass", "pass"]),
        (AtMost(warn=3), ["pass", "warn", "warn"]),
    ],
)
def test_a_number_passes_warns_or_fails(bound, verdicts):
    gates = [judged({"snr_db": value}, {"snr_db": bound})[0] for value in (2, 5, 11)]
    assert [gate.verdict for gate in gates] == verdicts


def test_a_number_on_its_bound_passes_and_nan_fails():
    assert judged({"snr_db": 3}, {"snr_db": AtLeast(warn=3, fail=3)})[0].verdict == "pass"
    assert judged({"snr_db": np.nan}, {"snr_db": AtLeast(fail=3)})[0].verdict == "fail"


def test_what_was_not_measured_or_has_no_bound_is_not_judged():
    assert judged({"snr_db": 3}, {"snr_db": AtLeast(), "nan_fraction": AtMost(warn=0)}) == []


def test_bounds_are_in_order():
    with pytest.raises(ValueError, match="fail must not exceed warn"):
        AtLeast(warn=3, fail=10)
    with pytest.raises(ValueError, match="fail must not be less than warn"):
        AtMost(warn=10, fail=3)


def test_a_number_that_could_not_be_measured_warns_and_never_fails():
    [gate] = judged({"snr_db": None}, {"snr_db": AtLeast(warn=3, fail=1)})
    assert (gate.verdict, gate.value, gate.bound) == ("warn", None, 3)
