"""What is made anew, in words and a table."""

from collections import Counter
from collections.abc import Iterator

from octflow.services.replay import Replay


def lines_of(plan: Replay, *, done: bool = False, most: int = 200) -> Iterator[str]:
    """Yield the lines that `octflow replay` prints.

    Parameters
    ----------
    plan : Replay
        What is made anew.
    done : bool
        It will be done now; otherwise it is said how.
    most : int
        Flags that are named; how many more there are is said.
    """
    if not plan.retirees:
        yield "nothing is to be made anew"
        return
    rows = [("flag", "why"), *((one.flag, one.why) for one in plan.retirees[:most])]
    wide = max(len(flag) for flag, _ in rows)
    yield from (f"{flag:<{wide}}  {why}" for flag, why in rows)
    if (more := len(plan.retirees) - most) > 0:
        yield f"and {more} more; --json has them all"
    yield ""
    counts = Counter(one.rule for one in plan.retirees)
    yield ", ".join(f"{count} {rule}" for rule, count in counts.items())
    yield f"{len(plan.retirees)} jobs, which took {plan.wall_s / 60:.1f} minutes of work"
    if reused := sum(len(one.reused) for one in plan.retirees):
        yield f"{reused} small records, by which finished tiles or shards would be kept"
    yield from (f"gone, but would be read: {path}" for path in plan.gone)
    if not done:
        yield "nothing was changed; --yes sets these flags aside"
