"""What the fibre axes of a slice cost in Python and in GNU Octave, step by step.

    PYTHONPATH=. python benchmarks/octave_axes.py             600 x 900 pixels, two views

Simulated maps of a straight and a tilted view, noise 20 dB below them; one thread each, a process
each, in turn; files are read before. Printed are CPU seconds inside the programs, the fewest of
each step, scaled up to a slice of ten million pixels.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from octflow.io.nifti import read_nifti, write_nifti
from octflow.simulate.fibre_maps import fibre_maps
from octflow.simulate.slice_maps import affine_of
from octflow.stages.register.fibres import View, fibre_field, warped_view
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.register.smoothing import Smoothing, averaged_views

SHAPE = (600, 900)
TEN_MILLION = 1e7 / (SHAPE[0] * SHAPE[1])
TILTS_DEG = (0, -15)
WAY = affine_of(-15, rotation_deg=1, shift_px=(12, 12), centre_px=(450, 300))
STEPS = ("tilted view onto the straight one", "averages (`adaptive`)", "noise and axes")
FUNCTIONS = Path(__file__).parents[1] / "matlab"
OCTAVE = """
addpath('{functions}');
for k = 1:2
    dn{{k}} = read_nifti(sprintf('{folder}/%d-dn.nii', k));
    deg{{k}} = read_nifti(sprintf('{folder}/%d-deg.nii', k));
end
way = {way}; settings = jsondecode('{settings}'); tilts = [0, -15]; weights = [1, 1];
started = cputime;
[dn{{2}}, deg{{2}}] = resample_view(dn{{2}}, deg{{2}}, way, 1, size(dn{{1}}));
ended = cputime;
[dn, deg, share] = average_views(cat(3, dn{{:}}), cat(3, deg{{:}}), tilts, weights, settings);
ended(2) = cputime;
told = struct('weights', weights, 'noise', 0, 'share', share);
fibres = thru_plane(dn, deg, tilts, told);
ended(3) = cputime;
disp(jsonencode(diff([started, ended])));
"""


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return the CPU seconds that something takes, and what it returns."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def views_in(folder: Path) -> list[View]:
    """Read both views."""
    views = []
    for k, tilt_deg in enumerate(TILTS_DEG, start=1):
        dn, deg = (np.array(read_nifti(folder / f"{k}-{name}.nii")) for name in ("dn", "deg"))
        views.append(View(str(k), tilt_deg, dn, dn, deg, np.isfinite(dn)))
    return views


def python_steps(fixed: View, moving: View) -> list[float]:
    """Time the steps of octflow on one thread."""
    warp_s, moved = timed(lambda: warped_view(moving, WAY, fixed.valid.shape, 1.0))
    average_s, averaged = timed(lambda: averaged_views([fixed, moved], [1, 1], Smoothing()))
    solve_s, _ = timed(lambda: fibre_field(averaged.views, [1, 1], share=averaged.share))
    return [warp_s, average_s, solve_s]


def said(command: list[str]) -> list[float]:
    """Run a program on one thread and read the seconds that it prints."""
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return json.loads(done.stdout)


def measured(folder: Path) -> list[list[float]]:
    """Return seconds of Python and of Octave, by step."""
    way = "[" + "; ".join(" ".join(map(repr, row)) for row in WAY.tolist()) + "]"
    told = {"functions": FUNCTIONS, "folder": folder, "way": way}
    code = OCTAVE.format(**told, settings=json.dumps(RegisterSettings().plain()))
    octave = said(["octave-cli", "--no-gui", "-qf", "--eval", code])
    return [said([sys.executable, __file__, "--child", str(folder)]), octave]


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        python_steps(*views_in(asked.child))  # loads compiled code
        print(json.dumps(python_steps(*views_in(asked.child))))
        return
    with tempfile.TemporaryDirectory() as name:
        write_views(Path(name))
        rounds = [measured(Path(name)) for _ in range(asked.repeats)]
    report(TEN_MILLION * np.min(rounds, axis=0))


def write_views(folder: Path) -> None:
    """Write what both views see, NaN outside the tissue."""
    maps = fibre_maps(SHAPE, WAY, tilt_deg=-15, snr_db=20, seed=1)
    for k, seen in enumerate((maps.fixed, maps.moving), start=1):
        for name, image in (("dn", seen.birefringence), ("deg", seen.axis_deg)):
            kept = np.where(seen.tissue, image, np.float32(np.nan))
            write_nifti(folder / f"{k}-{name}.nii", kept, voxel_size_mm=(1, 1, 1))


def report(fewest: np.ndarray) -> None:
    """Print the table."""
    print("| CPU s per 10 million pixels | Python | Octave | Octave / Python |")
    print("|---|---|---|---|")
    for name, python_s, octave_s in zip(
        (*STEPS, "together"), *np.c_[fewest, fewest.sum(axis=1)], strict=True
    ):
        print(f"| {name} | {python_s:.1f} | {octave_s:.1f} | {octave_s / python_s:.1f} |")


if __name__ == "__main__":
    main()
