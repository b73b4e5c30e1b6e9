"""Who computes tiles: Python, or the functions of the folder `matlab` under another program."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings

BackendName = Literal["python", "octave", "matlab", "matlab-engine"]
"""python: this package; the others run one source, under GNU Octave, MATLAB, or MATLAB Engine."""

BACKEND_STAGES = ("convert", "process", "register")
"""Sections of the configuration that have a key `backend`."""


class MatlabSettings(Settings):
    """How the functions of the folder `matlab` are run, by those stages whose backend it is.

    Examples
    --------
    >>> MatlabSettings().octave
    'octave-cli'
    """

    octave: str = "octave-cli"
    """Program of the backend octave: a path, or a name on the PATH."""
    executable: str = "matlab"
    """Program of the backend matlab: a path, or a name on the PATH."""
    options: tuple[str, ...] = ()
    """What MATLAB, or its Engine, is started with, such as -nojvm or -singleCompThread."""
    folder: str = "matlab"
    """Our functions; relative paths start at the folder of the Snakefile."""
    functions: str | None = None
    """The lab's own functions: one that has the name of one of ours is called in its place."""
    timeout_s: int = Field(3600, ge=1)
    """Time without a tile begun or done, such as that of a licence server that does not answer,
    after which the program is killed."""


PLAIN_MATLAB = MatlabSettings()
"""All as it is where nothing is said."""
