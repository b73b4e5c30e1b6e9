"""A stand-in for MATLAB Engine for Python: its documented interface, before GNU Octave.

Of `start_matlab`, futures and functions as methods it knows what the documentation of the Engine
says and octflow uses; other keywords are refused. A MATLAB started with -nolicense has no licence;
one with -deaf cannot be interrupted.
"""

import subprocess
import time

_DONE, _ERROR = 77, 1
"""Exit statuses of a function that returned, and of one that raised an error."""


class EngineError(Exception):
    """MATLAB did not start, or is gone."""


class MatlabExecutionError(Exception):
    """A function raised an error."""


class RejectedExecutionError(Exception):
    """MATLAB ended while it worked."""


class CancelledError(Exception):
    """The call was cancelled."""


class TimeoutError(Exception):
    """No result in time."""


class FutureResult:
    """What a call in the background returns."""

    def __init__(self, process, streams, *, deaf):
        self._process, self._streams, self._cancelled = process, streams, False
        self._deaf = deaf

    def done(self):
        return self._cancelled or self._process.poll() is not None

    def cancel(self):
        if self._deaf:
            return False
        self._process.kill()
        self._process.communicate()
        self._cancelled = True
        return True

    def cancelled(self):
        return self._cancelled

    def result(self, timeout=None):
        if self._cancelled:
            raise CancelledError("MATLAB function cancelled.")
        try:
            said = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError("The result is not available yet.") from None
        for stream, text in zip(self._streams, said, strict=True):
            if stream is not None:
                stream.write(text)
        if self._process.returncode == _ERROR:
            raise MatlabExecutionError(said[1])
        if self._process.returncode != _DONE:
            raise RejectedExecutionError("MATLAB has already terminated.")


class FutureMatlab:
    """What `start_matlab` in the background returns."""

    def __init__(self, option):
        self._option = option

    def result(self, timeout=None):
        if "-nolicense" in self._option.split():
            raise EngineError("MATLAB process cannot be terminated: License Manager Error -4.")
        time.sleep(0)
        return MatlabEngine(self._option)


class MatlabEngine:
    """Every function of the language is a method."""

    def __init__(self, option):
        self._options = option.split()
        self._paths = []
        self._working = []

    def quit(self):
        self._paths = None
        for process in self._working:
            process.communicate()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*arguments, nargout=1, background=False, stdout=None, stderr=None):
            if self._paths is None:
                raise EngineError("MATLAB has already terminated.")
            assert nargout == 0
            if name == "addpath":
                self._paths.append(*arguments)
                return None
            future = self._start(name, arguments, stdout, stderr)
            return future if background else future.result()

        return call

    def _start(self, name, arguments, stdout, stderr):
        quoted = ", ".join("'" + a.replace("'", "''") + "'" for a in arguments)
        added = "".join("addpath('" + p.replace("'", "''") + "'); " for p in self._paths)
        statement = f"{added}{name}({quoted}); exit({_DONE})"
        command = ["octave-cli", "--no-gui", "-qf", "--eval", statement]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._working.append(process)
        return FutureResult(process, (stdout, stderr), deaf="-deaf" in self._options)


def start_matlab(option="-nodesktop", background=False, **keywords):
    """Start MATLAB."""
    assert not keywords
    assert isinstance(option, str)
    future = FutureMatlab(option)
    return future if background else future.result()
