"""What every step costs in Python, in GNU Octave, and in Octave A-line by A-line.

    PYTHONPATH=. python benchmarks/octave_steps.py            32 B-lines of 350 A-lines

Simulated spectra lie in memory; one thread, no files. "Octave" are the functions of matlab/, "loop"
the same formulas in a loop over A-lines with the functions that the language has for them: interp1,
fft, conv, mean, polyfit (benchmarks/per_line, which the tests compare with ours). Octave does every
step both ways in one process, on the same arrays; Python has a process of its own. Printed are CPU
seconds inside the programs, the fewest of each step, scaled up to 350 B-lines.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from octflow.core.instrument import N_DEPTH
from octflow.io.complex_tiles import BLOCK_LINES
from octflow.io.raw import read_raw_bytes, spectra_of
from octflow.simulate.acquisition import Exposure, write_raw_tile
from octflow.stages.process.contrast import Contrasts, fill_contrasts
from octflow.stages.process.products import enface_maps, rotation_maps, slope_maps, window_of
from octflow.stages.process.surface import find_surface

from octave import (
    FUNCTIONS,
    INSTRUMENT,
    N_X,
    N_Y,
    RAW,
    SETTINGS,
    WHOLE_TILE,
    WINDOW,
    complex_blocks,
    said,
    simulation,
)

LOOPS = Path(__file__).parent / "per_line"
NAMES = {
    "spectral_to_complex": "spectral -> complex",
    "complex_to_volumes": "complex -> volumes",
    "find_surface": "surface (`find`)",
    "enface_maps": "en-face maps",
    "birefringence": "birefringence (`slope`)",
    "fit_rotation": "birefringence (`fold`)",
}
OCTAVE = """
addpath('{functions}'); addpath('{loops}');
disp(jsonencode(time_steps('{raw}', '{job}')));
"""


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds that something takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def python_steps(spectra: np.ndarray) -> dict[str, float]:
    """Time the steps of octflow, with the maps that those of Octave make."""
    volumes = Contrasts(
        *(np.zeros((N_DEPTH, len(spectra), spectra.shape[2]), np.float32) for _ in range(3))
    )
    found = {"spectral_to_complex": 0.0, "complex_to_volumes": 0.0}
    began = time.process_time()
    for where, jones in complex_blocks(spectra):
        found["spectral_to_complex"] += time.process_time() - began
        found["complex_to_volumes"] += timed(
            lambda at=where.start, jones=jones: fill_contrasts(volumes, at, jones)
        )
        began = time.process_time()
    found["find_surface"] = timed(lambda: find_surface(volumes.intensity_db))
    surface = find_surface(volumes.intensity_db)
    bounds = window_of(surface, WINDOW, N_DEPTH)
    _, retardance_deg, axis_deg = volumes
    axes_s = timed(lambda: slope_maps(None, axis_deg, bounds, WINDOW))
    found["enface_maps"] = timed(lambda: enface_maps(volumes, surface, bounds)) + axes_s
    found["birefringence"] = timed(lambda: slope_maps(retardance_deg, None, bounds, WINDOW))
    found["fit_rotation"] = timed(
        lambda: rotation_maps(volumes, bounds, WINDOW, SETTINGS.max_delta_n)
    )
    return found


def run_python(folder: Path) -> None:
    """Print the times of octflow, compiled code loaded before."""
    spectra = spectra_of(read_raw_bytes(folder / RAW), "spectral", N_X, N_Y)
    python_steps(spectra[:BLOCK_LINES])
    print(json.dumps(python_steps(spectra)))


def measured(folder: Path) -> dict[str, list[float]]:
    """Return seconds of Python, of Octave and of the loop, by step."""
    told = {"functions": FUNCTIONS, "loops": LOOPS, "raw": folder / RAW}
    code = OCTAVE.format(**told, job=folder / "job.json")
    octave = said(["octave-cli", "--no-gui", "-qf", "--eval", code])
    python = said([sys.executable, __file__, "--child", str(folder)])
    return {step: [python[step], *octave[step]] for step in NAMES}


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_python(asked.child)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_raw_tile(simulation(), Exposure(1, 1, 1), folder / RAW)
        job = {"n_x": N_X, "n_y": N_Y, "instrument": INSTRUMENT.plain()}
        (folder / "job.json").write_text(json.dumps(job | {"settings": SETTINGS.plain()}))
        rounds = [measured(folder) for _ in range(asked.repeats)]
    report(rounds)


def report(rounds: list[dict[str, list[float]]]) -> None:
    """Print the table; together are all steps but that birefringence which is not the default."""
    fewest = {
        step: [WHOLE_TILE * min(r[step][k] for r in rounds) for k in range(3)] for step in NAMES
    }
    steps = [*NAMES.items(), ("together", "together, with `fold`")]
    needed = [seconds for step, seconds in fewest.items() if step != "birefringence"]
    fewest["together"] = [sum(column) for column in zip(*needed, strict=True)]
    columns = ("Python", "Octave", "loop", "Octave / Python", "loop / Octave")
    print("| " + " | ".join(("CPU s per tile of 350 x 350 A-lines", *columns)) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for step, name in steps:
        python_s, octave_s, loop_s = fewest[step]
        ratios = f"{octave_s / python_s:.1f} | {loop_s / octave_s:.1f}"
        print(f"| {name} | {python_s:.2f} | {octave_s:.2f} | {loop_s:.1f} | {ratios} |")


if __name__ == "__main__":
    main()
