"""Programs that stand in for MATLAB, and functions of a lab that go wrong."""

from pathlib import Path

from octflow.core.backend import MatlabSettings

FUNCTIONS = Path(__file__).parents[2] / "matlab"
ENGINE = Path(__file__).parent / "matlab_stand_in"

MATLAB = """\
# Accepts exactly: matlab -batch "statement"
if [ $# != 2 ] || [ "$1" != -batch ]; then echo "matlab: found $*" >&2; exit 2; fi
exec octave-cli --no-gui -qf --eval "$2"
"""
OF_BACKEND = {"octave": 'exec octave-cli "$@"\n', "matlab": MATLAB}
"""What programs do that a test changes."""


def program(folder, name, text):
    """Write an executable shell script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return str(path)


def functions(folder, **written):
    """Write the functions of a lab, as bodies by name; each takes tile and parameters."""
    folder.mkdir(exist_ok=True)
    for name, body in written.items():
        head = f"function measured = {name}(tile, parameters)\nmeasured = struct();\n"
        (folder / f"{name}.m").write_text(f"{head}{body}\nend\n")
    return str(folder)


def settings(**said):
    """Return how our functions are run."""
    return MatlabSettings(folder=str(FUNCTIONS), **said)
