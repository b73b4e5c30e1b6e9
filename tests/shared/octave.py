"""Runs the functions of `matlab/` under GNU Octave."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "matlab"

needs_octave = pytest.mark.skipif(
    # Where tests must be complete, its absence is a failure.
    shutil.which("octave-cli") is None and os.environ.get("CI") != "true",
    reason="GNU Octave (octave-cli) is not installed: make octave",
)


def octave(code):
    """Run statements in Octave; return what they printed."""
    command = ["octave-cli", "--no-gui", "-qf", "--eval", f"addpath('{FUNCTIONS}'); {code}"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=alone)
    # It may complain about its own end, with status 0.
    if done.returncode or "warning" in done.stderr:
        raise RuntimeError(f"octave-cli ended with {done.returncode}: {done.stderr}")
    return done.stdout


def octave_value(expression, *, before=""):
    """Return the value of an expression: number, nested lists, dict."""
    return json.loads(octave(f"{before}; disp(jsonencode({expression}))"))
