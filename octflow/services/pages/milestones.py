"""When parts of the tiles were worked on, and how many an hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STEPS_S = (60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400)
"""Lengths of a bar of the throughput; the shortest is taken that needs at most `MOST_BARS`."""

MOST_BARS = 60

End = tuple[float, int]
"""When a batch was processed, in seconds of the epoch, and how many tiles it has."""


@dataclass(frozen=True)
class Milestone:
    """Something that people wait for."""

    name: str
    at_s: float | None
    """Seconds of the epoch; None as long as it has not come."""


def quarters(ends: Iterable[End], expected: int) -> list[Milestone]:
    """Say when 25, 50, 75 and 100 % of the tiles were worked on.

    Parameters
    ----------
    ends : iterable of (float, int)
        Batches.
    expected : int
        Tiles in all.

    Examples
    --------
    >>> [m.at_s for m in quarters([(10.0, 2), (30.0, 1), (20.0, 4)], expected=8)]
    [10.0, 20.0, 20.0, None]
    """
    reached: list[float | None] = [None] * 4
    done = 0
    for at_s, tiles in sorted(ends):
        done += tiles
        for quarter in range(min(4, 4 * done // expected)):
            reached[quarter] = at_s if reached[quarter] is None else reached[quarter]
    return [Milestone(f"{25 * (n + 1)} % of tiles", at_s) for n, at_s in enumerate(reached)]


@dataclass(frozen=True)
class Throughput:
    """Tiles an hour over time, in bars of equal length."""

    start_s: float
    """Begin of the first bar, seconds of the epoch."""
    step_s: int
    """Length of a bar."""
    tiles: list[int]
    """Tiles of each bar; the last is not over."""

    @property
    def rates(self) -> list[float]:
        """Tiles an hour."""
        return [3600 * tiles / self.step_s for tiles in self.tiles]


def throughput(ends: Sequence[End], until_s: float) -> Throughput | None:
    """Count tiles in bars of a length that people count in.

    Parameters
    ----------
    ends : sequence of (float, int)
        Batches.
    until_s : float
        End of the last bar at the earliest: the clock, so that a standstill shows.

    Returns
    -------
    counted : Throughput, optional
        None where there is no batch.

    Examples
    --------
    >>> throughput([(700.0, 5), (900.0, 2)], until_s=1000.0)
    Throughput(start_s=660, step_s=60, tiles=[5, 0, 0, 0, 2, 0])
    """
    if not ends:
        return None
    first_s, last_s = min(ends)[0], max(until_s, max(ends)[0])
    step_s = next((s for s in STEPS_S if (last_s - first_s) / s < MOST_BARS - 1), STEPS_S[-1])
    start_s = int(first_s // step_s) * step_s
    tiles = [0] * (int((last_s - start_s) // step_s) + 1)
    for at_s, number in ends:
        tiles[int((at_s - start_s) // step_s)] += number
    return Throughput(start_s, step_s, tiles)
