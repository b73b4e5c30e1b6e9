"""A bound for the bandwidth."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Keeps whoever sends bytes to so many in a second; for threads, too.

    Parameters
    ----------
    bytes_per_s : float or None
        The bound; None: none.
    now_s, sleep : callable
        The clock.

    Examples
    --------
    >>> waits = []
    >>> pace = Pace(10.0, now_s=lambda: sum(waits), sleep=waits.append)
    >>> pace.pass_on(20)
    >>> pace.pass_on(5)
    >>> waits
    [2.0, 0.5]
    """

    bytes_per_s: float | None
    now_s: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)
    _free_s: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def pass_on(self, n_bytes: int) -> None:
        """Wait as long as so many bytes take."""
        if self.bytes_per_s is None:
            return
        with self._lock:
            # What was not used while nothing was sent is not saved up for later.
            self._free_s = max(self._free_s, self.now_s()) + n_bytes / self.bytes_per_s
            wait_s = self._free_s - self.now_s()
        if wait_s > 0:
            self.sleep(wait_s)
