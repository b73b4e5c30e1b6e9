"""What would be made otherwise now, in words."""

import json
from collections.abc import Iterator
from typing import Any

from octflow.services.stale import Staleness

_LONGEST = 40


def lines_of(found: Staleness, *, most: int = 100) -> Iterator[str]:
    """Yield the lines that `octflow status --stale` prints.

    Parameters
    ----------
    found : Staleness
        What differs.
    most : int
        Lines; how many more there are is said. Flags with the same difference share one.
    """
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for one in found.stale:
        for d in one.differences:
            alike.setdefault((one.rule, d.key, _cut(d.was), _cut(d.now)), []).append(one.flag)
    yield f"{len(found.stale)} of {found.looked_at} flags would be made otherwise now"
    if alike:
        yield ""
        rows: list[tuple[str, ...]] = [("rule", "flags", "the first", "what", "was -> is")]
        rows += [(k[0], str(len(v)), v[0], k[1], f"{k[2]} -> {k[3]}") for k, v in alike.items()]
        yield from _table(rows[: most + 1])
        if (more := len(rows) - 1 - most) > 0:
            yield f"and {more} more; --json has them all"
    for commit, count in found.other_commits.items():
        yield f"{count} flags differ in nothing but the commit of the code, {commit[:12]}"


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _cut(value: Any) -> str:  # noqa: ANN401 - JSON
    plain = value if isinstance(value, str) else json.dumps(value)
    return plain[:_LONGEST] + " ..." if len(plain) > _LONGEST else plain
