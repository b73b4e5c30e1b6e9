"""Which files have stopped changing, by our own clock.

The clock of the machine that writes the tiles, or of the file server, may be off by any amount:
a file's time of change is compared with itself at an earlier look, never with the time of day.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Seen = tuple[int, int, float]


@dataclass
class Looks:
    """What files looked like, and since when.

    Parameters
    ----------
    stable_s : float
        A file that has not changed for so long is complete, s.
    now_s : callable
        A clock that never jumps, s.
    """

    stable_s: float
    now_s: Callable[[], float] = field(default=time.monotonic)
    _seen: dict[str, Seen] = field(default_factory=dict, init=False)

    def settled(self, inventory: list[dict[str, Any]]) -> bool:
        """Look at the files of a batch; tell whether none has changed for long enough."""
        return self.remaining_s(inventory) == 0

    def remaining_s(self, inventory: list[dict[str, Any]]) -> float:
        """Look at the files of a batch; return how long until none has changed for long enough.

        Parameters
        ----------
        inventory : list of dict
            Tiles as `Ready.inventory` lists them.

        Examples
        --------
        >>> clock = iter([0.0, 20.0, 31.0, 62.0])
        >>> looks = Looks(30, now_s=lambda: next(clock))
        >>> tile = {"path": "a.nii", "bytes": 10, "modified_s": 5}
        >>> [looks.remaining_s([{**tile, "bytes": size}]) for size in (10, 20, 20, 20)]
        [30.0, 30.0, 19.0, 0.0]
        """
        now_s = self.now_s()
        # All are looked at: one that is new must not hide another.
        since_s = [self._unchanged_since_s(file, now_s) for file in _files(inventory)]
        return max(0.0, max(since_s, default=-math.inf) + self.stable_s - now_s)

    def _unchanged_since_s(self, file: dict[str, Any], now_s: float) -> float:
        size, modified_s, since_s = self._seen.get(file["path"], (-1, -1, now_s))
        if (size, modified_s) != (file["bytes"], file["modified_s"]):
            since_s = now_s
        self._seen[file["path"]] = (file["bytes"], file["modified_s"], since_s)
        return since_s


def _files(entry: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Find the files in an inventory, however deep they are."""
    if isinstance(entry, dict):
        if "modified_s" in entry:
            yield entry
        entry = list(entry.values())
    if isinstance(entry, list):
        for part in entry:
            yield from _files(part)
