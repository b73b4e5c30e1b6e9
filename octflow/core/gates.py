"""Bounds of quality numbers: from where a record warns, and from where the product is refused."""

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator

from octflow.core.record import Gate
from octflow.core.settings import Settings


class AtLeast(Settings):
    """A number that should be large; a bound of null is not held against it."""

    warn: float | None = None
    """Below, the record carries a warning."""
    fail: float | None = None
    """Below, what it was measured on is refused."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warn is not None and self.fail is not None and self.fail > self.warn:
            raise ValueError("fail must not exceed warn")
        return self


class AtMost(Settings):
    """A number that should be small; a bound of null is not held against it."""

    warn: float | None = None
    """Above, the record carries a warning."""
    fail: float | None = None
    """Above, what it was measured on is refused."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warn is not None and self.fail is not None and self.fail < self.warn:
            raise ValueError("fail must not be less than warn")
        return self


Bound = AtLeast | AtMost


def judged(qc: Mapping[str, float | None], bounds: Mapping[str, Bound]) -> list[Gate]:
    """Hold numbers against their bounds.

    Parameters
    ----------
    qc : dict of str to float
        Numbers; one that is named but could not be measured (None) is worth a warning, one that
        is not named is not judged.
    bounds : dict of str to AtLeast or AtMost
        By the same names.

    Returns
    -------
    gates : list of Gate
        With the bound that was missed; the one for warnings where none was.

    Examples
    --------
    >>> [gate] = judged({"snr_db": 2.5}, {"snr_db": AtLeast(warn=5, fail=3)})
    >>> gate.verdict, gate.bound
    ('fail', 3.0)
    """
    return [
        _gate(name, qc[name], bound)
        for name, bound in bounds.items()
        if name in qc and (bound.warn is not None or bound.fail is not None)
    ]


def _gate(name: str, value: float | None, bound: Bound) -> Gate:
    fails, warns = (_missed(value, limit, bound) for limit in (bound.fail, bound.warn))
    verdict = "fail" if fails else "warn" if warns or value is None else "pass"
    held = bound.fail if fails or bound.warn is None else bound.warn
    return Gate.model_validate({"name": name, "verdict": verdict, "value": value, "bound": held})


def _missed(value: float | None, limit: float | None, bound: Bound) -> bool:
    if value is None or limit is None:
        return False
    kept = value >= limit if isinstance(bound, AtLeast) else value <= limit
    return not kept
