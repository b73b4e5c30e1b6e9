"""How well and how fast two illuminations of a slice are registered, beside SimpleITK's usual way.

    python benchmarks/registration.py                      400 x 600 and 4000 x 9000 pixels
    python benchmarks/registration.py --sizes 2000x4500 --threads 1 --seeds 3
    python benchmarks/registration.py --rows octflow

Two maps of birefringence of a slice with bundles are simulated, 20 dB above their noise; the tilted
one is shifted by 30 pixels along x and y, turned by 2 degrees, sheared and grown by 3 percent,
besides the known foreshortening. The error is the root mean square distance of where the affine
that was found puts the pixels of the tissue from where they are. Every row is a process of its own;
memory is its peak above what the maps take.

octflow works on one thread. "SimpleITK" has the same start, and what its examples set: Mattes
mutual information of 50 bins over a seeded random fifth of the pixels, gradient descent with 100
steps at a learning rate of 1, scales from physical shift, levels of 1/4, 1/2 and 1 smoothed by 2, 1
and 0. "regular step" is the same with the optimiser of octflow: steps that are halved, 200 of them.
"against octflow" are its seconds, and its seconds of the processor, over those of octflow.

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
    """Measure all rows on all sizes and seeds and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=("400x600", "4000x9000"), metavar="YxX")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=(1, 2), help="of SimpleITK")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one[0], Path(asked.one[1]), asked.threads[0])
        return
    print(
        f"{'size':9} {'seed':>4} {'row':12} {'threads':>7} {'error px':>9} {'seconds':>8}"
        f" {'CPU s':>7} {'memory MB':>10}  against octflow",
        flush=True,
    )
    runs = [("octflow", 1)] if "octflow" in asked.rows else []
    runs += [(row, n) for row in asked.rows if row != "octflow" for n in asked.threads]
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.npz"
        for size in asked.sizes:
            for seed in range(asked.seeds):
                simulate(path, tuple(int(n) for n in size.split("x")), seed)
                worst = max(worst, show(f"{size:9} {seed:4}", path, runs))
    if worst > GOAL_PX:
        sys.exit(1)


def show(name: str, path: Path, runs: list[tuple[str, int]]) -> float:
    """Measure and print all rows on one pair of maps; return the error of octflow."""
    found = {run: one_row(run[0], path, run[1]) for run in runs[:1]}
    ours = found.get(("octflow", 1))
    for row, threads in runs:
        error, wall, cpu, memory = found.get((row, threads)) or one_row(row, path, threads)
        ratio = f"{wall / ours[1]:6.1f} {cpu / ours[2]:6.1f}" if ours else ""
        print(
            f"{name} {row:12} {threads:7} {error:9.3f} {wall:8.1f} {cpu:7.1f} {memory:10.0f}"
            f"  {ratio}",
            flush=True,
        )
    return ours[0] if ours else 0.0


def one_row(row: str, path: Path, threads: int) -> list[float]:
    """Measure a row in a process of its own."""
    command = [sys.executable, __file__, "--one", row, str(path), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    numbers: list[float] = json.loads(done.stdout)
    return numbers


if __name__ == "__main__":
    main()
