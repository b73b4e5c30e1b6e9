"""How well and how fast two illuminations of a slice are registered, beside SimpleITK's usual way.

    python benchmarks/registration.py                      4000 x 9000 pixels, 2 threads lent
    python benchmarks/registration.py --size 400 600 --seeds 5
    python benchmarks/registration.py --rows octflow

Two maps of birefringence of a slice with bundles are simulated, 20 dB above their noise; the tilted
one is shifted by 30 pixels along x and y, turned by 2 degrees, sheared and grown by 3 percent,
besides the known foreshortening. The error is the root mean square distance of where the affine
that was found puts the pixels of the tissue from where they are. Every row is a process of its own;
memory is its peak above what the maps take.

"SimpleITK" has the same start, every pixel, and what its examples set: Mattes mutual information of
50 bins over a seeded random fifth of the pixels, gradient descent with 100 steps at a learning rate
of 1, scales from physical shift, levels of 1/4, 1/2 and 1 smoothed by 2, 1 and 0. "regular step"
is the same with the optimiser of octflow: steps that are halved, 200 of them.

Exit status 1 where octflow is further off than 0.5 px.
"""

# SimpleITK comes without types.
# mypy: allow-untyped-calls

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from octflow.simulate.slice_maps import TwoMaps, affine_of, two_maps
from octflow.stages.register.align import align, foreshortening, guess

TILT_DEG, SNR_DB, GOAL_PX = -15.0, 20.0, 0.5
ROWS = ("octflow", "SimpleITK", "regular step")


def simulate(path: Path, shape: tuple[int, int], seed: int) -> None:
    """Write two maps and their truth."""
    way = affine_of(
        TILT_DEG,
        rotation_deg=2,
        shear=0.03,
        scale=1.03,
        shift_px=(30, -30),
        centre_px=(shape[1] / 2, shape[0] / 2),
    )
    maps = two_maps(shape, way, tilt_deg=TILT_DEG, snr_db=SNR_DB, seed=seed)
    np.savez(path, **vars(maps))


def registered(row: str, maps: TwoMaps, threads: int) -> np.ndarray:
    """Return the affine that one way of registering finds."""
    valid = np.isfinite(maps.fixed), np.isfinite(maps.moving)
    start = guess(*valid, foreshortening(TILT_DEG))
    if row == "octflow":
        return align(maps.fixed, maps.moving, start).matrix
    return by_simpleitk(maps, start, threads, regular=row == "regular step")


def by_simpleitk(maps: TwoMaps, start: np.ndarray, threads: int, *, regular: bool) -> np.ndarray:
    """Register at full resolution as the examples of the library do."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    images = [sitk.GetImageFromArray(np.nan_to_num(m)) for m in (maps.fixed, maps.moving)]
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, 1)
    method.SetInterpolator(sitk.sitkLinear)
    if regular:
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 200, 0.5, 1e-8)
    else:
        method.SetOptimizerAsGradientDescent(1.0, 100, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    centre = (np.array(maps.fixed.shape[::-1]) - 1) / 2
    moved = start[:, :2] @ centre + start[:, 2] - centre
    affine = sitk.AffineTransform(start[:, :2].ravel().tolist(), moved.tolist(), centre.tolist())
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(*images)
    linear = np.array(affine.GetMatrix()).reshape(2, 2)
    return np.column_stack([linear, affine.TransformPoint((0.0, 0.0))])


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(row: str, path: Path, threads: int) -> None:
    """Register once and print what it took, as JSON."""
    small = two_maps((200, 200), affine_of(TILT_DEG), tilt_deg=TILT_DEG, snr_db=SNR_DB, seed=0)
    registered("octflow", small, threads)  # Compiled code is loaded before.
    with np.load(path) as kept:
        maps = TwoMaps(**kept)
    before, seconds, cpu = peak_mb(), time.perf_counter(), time.process_time()
    found = registered(row, maps, threads)
    took = time.perf_counter() - seconds, time.process_time() - cpu
    print(json.dumps([maps.error_px(found), *took, peak_mb() - before]))


def main() -> None:
    """Measure all rows on all seeds and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=2, default=(4000, 9000), metavar=("Y", "X"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one[0], Path(asked.one[1]), asked.threads)
        return
    print(f"{'seed':>4} {'row':14} {'error px':>9} {'seconds':>8} {'CPU s':>7} {'memory MB':>10}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.npz"
        for seed in range(asked.seeds):
            simulate(path, tuple(asked.size), seed)
            for row in asked.rows:
                error, *took = one_row(row, path, asked.threads)
                print(
                    f"{seed:4} {row:14} {error:9.3f} {took[0]:8.1f} {took[1]:7.1f} {took[2]:10.0f}"
                )
                worst = max(worst, error if row == "octflow" else 0.0)
    if worst > GOAL_PX:
        sys.exit(1)


def one_row(row: str, path: Path, threads: int) -> list[float]:
    """Measure a row in a process of its own."""
    command = [sys.executable, __file__, "--one", row, str(path), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    numbers: list[float] = json.loads(done.stdout)
    return numbers


if __name__ == "__main__":
    main()
