"""Try again what may pass by itself."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from octflow.core.errors import ArchiveError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass
class Patience:
    """How often, and after which waits, what failed on its way is tried.

    Parameters
    ----------
    attempts : int
        In all.
    first_wait_s, longest_wait_s : float
        Wait after the first failure, doubled from one to the next up to the longest. A random
        part of up to a half is taken off, so that jobs that failed together do not return so.
    sleep : callable
        The clock.
    chance : callable
        A number from 0 to 1.

    Examples
    --------
    >>> waits = []
    >>> patience = Patience(4, first_wait_s=2, longest_wait_s=5, sleep=waits.append,
    ...                     chance=lambda: 1.0)
    >>> def fail():
    ...     raise ArchiveError("no answer", kind="transient")
    >>> patience.retried(fail)
    Traceback (most recent call last):
    octflow.core.errors.ArchiveError: no answer
    >>> waits
    [1.0, 2.0, 2.5]
    """

    attempts: int
    first_wait_s: float
    longest_wait_s: float
    sleep: Callable[[float], None] = field(default=time.sleep)
    chance: Callable[[], float] = field(default=random.random)

    def retried(self, work: Callable[[], Result]) -> Result:
        """Do something until it succeeds, fails for good, or the attempts are used up."""
        for number in range(self.attempts - 1):
            try:
                return work()
            except ArchiveError as error:
                if error.kind != "transient":
                    raise
                wait_s = self.wait_s(number)
                log.warning("%s; again in %.1f s", error, wait_s)
                self.sleep(wait_s)
        return work()

    def wait_s(self, failures: int) -> float:
        """Return the wait after so many further failures."""
        longest_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures, 60))
        return longest_s * (1 - self.chance() / 2)
