"""Work on blocks of lines, on some threads, the same whatever their number."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LINES = 128
"""Lines of a block; what a block holds besides the maps of the slice is so many lines."""


def over_lines(n_lines: int, work: Callable[[slice], None], threads: int) -> None:
    """Call `work` with every block of lines; a failure ends it.

    Examples
    --------
    >>> over_lines(300, print, 1)
    slice(0, 128, None)
    slice(128, 256, None)
    slice(256, 300, None)
    """
    blocks = [slice(y, min(y + LINES, n_lines)) for y in range(0, n_lines, LINES)]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for _ in pool.map(work, blocks):
            pass
