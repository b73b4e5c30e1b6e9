"""Blocks that several writers ask for side by side, computed once."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Fields = NDArray[np.floating]


class Shared:
    """A function of blocks (z, y, x) that is called once where several ask for the same block.

    Whoever asks first computes, the others wait. So writers of the same layout keep in step, and
    only the latest blocks need to be kept; what was already forgotten is computed again.

    Parameters
    ----------
    fields_of : callable
        Takes slices (z, y, x) and returns an array, which nobody may change.
    kept : int
        Blocks kept.

    Examples
    --------
    >>> shared = Shared(lambda z, y, x: np.array([z.start, y.stop]), kept=1)
    >>> shared(slice(1, 2), slice(0, 3), slice(0, 3)).tolist()
    [1, 3]
    """

    def __init__(self, fields_of: Callable[[slice, slice, slice], Fields], *, kept: int) -> None:
        self._fields_of, self._kept = fields_of, kept
        self._lock = Lock()
        self._blocks: dict[tuple[int, ...], Future[Fields]] = {}

    def __call__(self, z: slice, y: slice, x: slice) -> Fields:
        """Return the array of a block."""
        key = tuple(end for s in (z, y, x) for end in (s.start, s.stop))
        with self._lock:
            found = self._blocks.get(key)
            mine = self._blocks.setdefault(key, Future())
        if found is not None:
            return found.result()
        try:
            mine.set_result(self._fields_of(z, y, x))
        except BaseException as error:
            # Those who wait must hear of it, whatever it is.
            mine.set_exception(error)
            raise
        self._forget()
        return mine.result()

    def _forget(self) -> None:
        with self._lock:
            finished = [key for key, block in self._blocks.items() if block.done()]
            for key in finished[: max(0, len(finished) - self._kept)]:
                del self._blocks[key]
