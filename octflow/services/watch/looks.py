"""Which files have stopped changing, by our own clock.

The clock of the machine that writes the tiles, or of the file server, may be off by any amount:
a file's time of change is compared with itself at an earlier look, never with the time of day.
"""

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
        """Look at the files of a batch; tell whether none has changed for long enough.

        Parameters
        ----------
        inventory : list of dict
            Tiles as `Ready.inventory` lists them.

        Examples
        --------
        >>> clock = iter([0.0, 20.0, 31.0, 62.0])
        >>> looks = Looks(30, now_s=lambda: next(clock))
        >>> tile = {"path": "a.nii", "bytes": 10, "modified_s": 5}
        >>> [looks.settled([{**tile, "bytes": size}]) for size in (10, 20, 20, 20)]
        [False, False, False, True]
        """
        now_s = self.now_s()
        # All are looked at: one that is new must not hide another.
        unchanged = [self._unchanged(file, now_s) for file in _files(inventory)]
        return all(unchanged)

    def _unchanged(self, file: dict[str, Any], now_s: float) -> bool:
        size, modified_s, since_s = self._seen.get(file["path"], (-1, -1, now_s))
        if (size, modified_s) != (file["bytes"], file["modified_s"]):
            since_s = now_s
        self._seen[file["path"]] = (file["bytes"], file["modified_s"], since_s)
        return now_s - since_s >= self.stable_s


def _files(entry: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Find the files in an inventory, however deep they are."""
    if isinstance(entry, dict):
        if "modified_s" in entry:
            yield entry
        entry = list(entry.values())
    if isinstance(entry, list):
        for part in entry:
            yield from _files(part)
