"""The state of a project in words and tables, for a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from octflow.services.seen import Failed
from octflow.services.state import Count, Pace, ProjectState

_MOSAIC_RULES = ("process_batch", "archive_batch", "stitch_enface", "stitch_volume")
_SLICE_RULES = (*_MOSAIC_RULES, "register_slice")


def lines_of(state: ProjectState, *, most: int = 20) -> Iterator[str]:
    """Yield the lines that `octflow status` prints.

    Parameters
    ----------
    state : ProjectState
        The project.
    most : int
        Lines of failures and of what waits; how many more there are is said.
    """
    yield f"{state.project}: {state.folder}"
    yield ""
    yield from table(["rule", "done", "%", "failed", "open", "waiting", "expected"], _rules(state))
    yield ""
    yield from table(["slice", *_SLICE_RULES], _slices(state))
    yield ""
    yield from table(["mosaic", "illumination", *_MOSAIC_RULES], _mosaics(state))
    yield ""
    yield _pace(state.pace)
    yield from _section("failed", [f"{f.job}: {_why(f)}" for f in state.failures], most)
    yield from _section("given up by the watcher", list(state.given_up), most)
    yield from _section("failed tiles", list(state.failed_tiles), most)
    yield from _section("waiting", [w.removeprefix("waiting: ") for w in state.waiting], most)
    yield from _section("notes", list(state.notes), most)


def _why(failed: Failed) -> str:
    times = f"{failed.attempts} attempts" if failed.attempts > 1 else "1 attempt"
    return f"{failed.reason} ({failed.kind}, {times}, {failed.record})"


def _rules(state: ProjectState) -> list[list[str]]:
    return [_row(count) for count in state.counts]


def _row(count: Count) -> list[str]:
    percent = f"{count.done_percent:.0f}"
    numbers = (count.done, percent, count.failed, count.open, count.waiting, count.expected)
    return [count.rule, *map(str, numbers)]


def _slices(state: ProjectState) -> list[list[str]]:
    return [[str(s.slice), *_cells(s.counts, _SLICE_RULES)] for s in state.slices]


def _mosaics(state: ProjectState) -> list[list[str]]:
    return [
        [str(m.mosaic), m.illumination, *_cells(m.counts, _MOSAIC_RULES)]
        for s in state.slices
        for m in s.mosaics
    ]


def _cells(counts: Iterable[Count], rules: Iterable[str]) -> list[str]:
    """Give done/expected of rules, with a mark where some failed."""
    by_rule = {count.rule: count for count in counts}
    found = [by_rule.get(rule) for rule in rules]
    return [f"{c.done}/{c.expected}{'!' * bool(c.failed)}" if c else "-" for c in found]


def table(head: Sequence[str], body: list[list[str]]) -> Iterator[str]:
    """Align columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    for cells in (head, *body):
        first, *others = zip(cells, widths, strict=True)
        yield "  ".join([first[0].ljust(first[1]), *(cell.rjust(w) for cell, w in others)])


def _pace(pace: Pace) -> str:
    if not pace.left:
        return "all expected batches are processed"
    if pace.batches_per_hour is None or pace.hours_left is None:
        return f"batches left: {pace.left}; fewer than two are done, so that no pace is known"
    return (
        f"batches left: {pace.left}; {pace.batches_per_hour:.1f} an hour lately: "
        f"{pace.hours_left:.1f} h to go"
    )


def _section(title: str, lines: list[str], most: int) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title} ({len(lines)}):"
    yield from (f"  {line}" for line in lines[:most])
    if len(lines) > most:
        yield f"  and {len(lines) - most} more; --json has them all"
