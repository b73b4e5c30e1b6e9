"""Files whose flush to disk is waited for while the next is made."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from typing import Self

from octflow.io.atomic import complete, name_file, part_of, remove


class Behind:
    """Replaces files as `octflow.io.atomic.replacing` does, but flushes them behind one's back.

    A thread of its own flushes and renames, which takes time but no processor. Files get their
    names in the order in which they were written, and none does once one could not. A context: at
    its end every file has its name, or what went wrong is raised.

    Parameters
    ----------
    waiting : int
        Files that may wait for the disk; who writes one more waits too.
    """

    def __init__(self, waiting: int = 4) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._room = BoundedSemaphore(waiting)
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()
        if kind is None:
            self._report()

    @contextmanager
    def replacing(self, path: Path) -> Iterator[Path]:
        """Yield a temporary path beside `path`, which gets its name when it is on disk.

        Raises
        ------
        OSError
            A file before could not be written.
        """
        self._report()
        part = part_of(path)
        try:
            yield part
        except BaseException as error:
            remove(part)
            name_file(error, path)
            raise
        self._room.acquire()
        self._thread.submit(self._complete, part, path)

    def _complete(self, part: Path, path: Path) -> None:
        try:
            self._report()
            complete(part, path)
        except OSError as error:
            remove(part)
            name_file(error, path)
            self._error = self._error or error
        finally:
            self._room.release()

    def _report(self) -> None:
        if self._error is not None:
            raise self._error
