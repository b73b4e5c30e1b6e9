"""Libraries that could register two illuminations of a slice, side by side.

    pip install antspyx dipy itk-elastix numba pystackreg scikit-image SimpleITK
    PYTHONPATH=. python benchmarks/registration_libraries.py          1000 x 2000 pixels
    ... --size 400 600 --rows octflow elastix                          others
    ... --power=-0.5                                                   bright is dark in one view

Antspyx asks for older versions than octflow is tested with: an environment of its own.

The two maps and their truth are those of benchmarks/registration.py, and every library starts from
where the known tilt and the centres of the tissue put the view; one that takes no start is given
the moving map resampled there. Every row is registered in three processes of its own: twice on one
thread, which gives error, seconds and memory (the fewest of both), and once on two threads. "same
bytes" says whether the affine was the same to the last bit the second time / on two threads.

"elastix", "ants", "dipy" and "pystackreg" are these libraries as they come: their own affine
schedules with mutual information, but for pystackreg, which has none and compares intensities;
"elastix2000" takes 2000 steps per level in place of 256.
"skimage" finds a shift alone, for comparison. A library that is not installed is left out.
"""

# The libraries come without types.
# mypy: allow-untyped-calls, allow-untyped-defs

import argparse
import hashlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform

from octflow.simulate.slice_maps import TwoMaps, affine_of, two_maps
from octflow.stages.register.align import align, foreshortening, guess

SNR_DB = 20.0
SAMPLED_FRACTION = 0.2


def simulated(shape: tuple[int, int], seed: int, tilt_deg: float) -> TwoMaps:
    """Return two maps and their truth."""
    way = affine_of(
        tilt_deg,
        rotation_deg=2,
        shear=0.03,
        scale=1.03,
        shift_px=(30, -30),
        centre_px=(shape[1] / 2, shape[0] / 2),
    )
    return two_maps(shape, way, tilt_deg=tilt_deg, snr_db=SNR_DB, seed=seed)


def affine_from(maps_point: Callable[[float, float], Any]) -> np.ndarray:
    """Return the affine (2, 3) of a function from fixed point (x, y) to moving point (x, y)."""
    origin, along_x, along_y = (np.array(maps_point(*p)) for p in ((0, 0), (1000, 0), (0, 1000)))
    return np.column_stack([(along_x - origin) / 1000, (along_y - origin) / 1000, origin])


def whole(affine: np.ndarray) -> np.ndarray:
    """Return an affine as (3, 3)."""
    return np.vstack([affine, [0, 0, 1]])


def scaled(image: np.ndarray) -> np.ndarray:
    """Return a map from 0 to about 1, 0 outside the tissue: some libraries have absolute steps."""
    filled = np.nan_to_num(image)
    return np.asarray(filled / np.percentile(filled, 99), np.float32)


def resampled(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Return the moving map where the start puts it on the fixed pixels."""
    flipped, offset = start[::-1, [1, 0]], start[::-1, 2]
    return affine_transform(scaled(maps.moving), flipped, offset, maps.fixed.shape, order=1)


def by_octflow(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Register by SimpleITK as octflow uses it."""
    return align(maps.fixed, maps.moving, start).matrix


def by_elastix(maps: TwoMaps, start: np.ndarray, steps: int = 256) -> np.ndarray:
    """Register by the default affine parameters: adaptive stochastic gradient descent."""
    import itk

    fixed, moving = (itk.image_from_array(scaled(m)) for m in (maps.fixed, maps.moving))
    first = itk.AffineTransform[itk.D, 2].New()
    parameters = [*start[:, :2].ravel().tolist(), *start[:, 2].tolist()]
    first.SetParameters(itk.OptimizerParameters[itk.D](parameters))
    chosen = itk.ParameterObject.New()
    affine = chosen.GetDefaultParameterMap("affine", 4)
    affine["WriteResultImage"] = ["false"]
    affine["RandomSeed"] = ["1"]
    affine["MaximumNumberOfIterations"] = [str(steps)]
    chosen.AddParameterMap(affine)
    method = itk.ElastixRegistrationMethod[type(fixed), type(moving)].New()
    method.SetFixedImage(fixed)
    method.SetMovingImage(moving)
    method.SetParameterObject(chosen)
    method.SetExternalInitialTransform(first)
    method.SetNumberOfThreads(int(os.environ["THREADS"]))
    method.UpdateLargestPossibleRegion()
    transforms = method.GetTransformParameterObject()
    found = transforms.GetParameterMap(transforms.GetNumberOfParameterMaps() - 1)
    numbers = [float(n) for n in found["TransformParameters"]]
    centre = np.array([float(n) for n in found["CenterOfRotationPoint"]])
    linear = np.array(numbers[:4]).reshape(2, 2)
    after = np.column_stack([linear, centre - linear @ centre + numbers[4:]])
    return (whole(after) @ whole(start))[:2]


def by_ants(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Register by type Affine, mutual information of a seeded random fifth."""
    import ants

    fixed, moving = (ants.from_numpy(scaled(m).T) for m in (maps.fixed, maps.moving))
    with tempfile.TemporaryDirectory() as folder:
        first = ants.create_ants_transform(
            transform_type="AffineTransform", dimension=2, matrix=start[:, :2], offset=start[:, 2]
        )
        ants.write_transform(first, f"{folder}/start.mat")
        found = ants.registration(
            fixed,
            moving,
            type_of_transform="Affine",
            initial_transform=f"{folder}/start.mat",
            aff_random_sampling_rate=SAMPLED_FRACTION,
            outprefix=f"{folder}/found",
            random_seed=1,
        )

        def moved(x: float, y: float) -> list[float]:
            import pandas

            at = pandas.DataFrame({"x": [x], "y": [y]}, dtype=float)
            there = ants.apply_transforms_to_points(2, at, found["fwdtransforms"])
            return [float(there["x"][0]), float(there["y"][0])]

        return affine_from(moved)


def by_dipy(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Register by `AffineRegistration` as its tutorial has it, on every pixel."""
    from dipy.align.imaffine import (
        AffineRegistration,
        MutualInformationMetric,
    )
    from dipy.align.transforms import AffineTransform2D

    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    method = AffineRegistration(
        metric=MutualInformationMetric(nbins=32),
        level_iters=[10000, 1000, 100],
        sigmas=[3.0, 1.0, 0.0],
        factors=[4, 2, 1],
        verbosity=0,
    )
    found = method.optimize(
        scaled(maps.fixed).astype(float),
        scaled(maps.moving).astype(float),
        AffineTransform2D(),
        None,
        starting_affine=swap @ whole(start) @ swap,
    )
    return np.asarray(swap @ found.affine @ swap)[:2]


def by_pystackreg(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Register by the squared difference of intensities."""
    from pystackreg import StackReg

    after = StackReg(StackReg.AFFINE).register(scaled(maps.fixed), resampled(maps, start))
    return (whole(start) @ after)[:2]


def by_skimage(maps: TwoMaps, start: np.ndarray) -> np.ndarray:
    """Find a shift beyond the start, by phase correlation."""
    from skimage.registration import phase_cross_correlation

    (y, x), *_ = phase_cross_correlation(
        scaled(maps.fixed), resampled(maps, start), upsample_factor=10
    )
    return (whole(start) @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]]))[:2]


ROWS = {
    "octflow": ("SimpleITK", by_octflow),
    "elastix": ("itk", by_elastix),
    "elastix2000": ("itk", partial(by_elastix, steps=2000)),
    "ants": ("ants", by_ants),
    "dipy": ("dipy", by_dipy),
    "pystackreg": ("pystackreg", by_pystackreg),
    "skimage": ("skimage", by_skimage),
}


def measure(row: str, path: Path, tilt_deg: float) -> None:
    """Register once and print what it took, as JSON."""
    method = ROWS[row][1]
    small = simulated((200, 200), 0, tilt_deg)
    method(small, start_of(small, tilt_deg))  # Libraries and compiled code are loaded before.
    with np.load(path) as kept:
        maps = TwoMaps(**kept)
    before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    found = method(maps, start_of(maps, tilt_deg))
    took = time.perf_counter() - wall, time.process_time() - cpu, peak_mb() - before
    digest = hashlib.sha256(np.ascontiguousarray(found).tobytes()).hexdigest()
    print(json.dumps([maps.error_px(found), *took, digest]))


def start_of(maps: TwoMaps, tilt_deg: float) -> np.ndarray:
    """Return the affine of the known tilt that lays the centres of the tissue on each other."""
    return guess(np.isfinite(maps.fixed), np.isfinite(maps.moving), foreshortening(tilt_deg))


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_run(row: str, path: Path, tilt_deg: float, threads: int) -> list[Any]:
    """Measure in a process of its own; the libraries read their threads from the environment."""
    names = ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    command = [sys.executable, __file__, "--one", row, str(path), "--tilt", str(tilt_deg)]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | dict.fromkeys((*names, "THREADS"), str(threads)),
    )
    if done.returncode:
        raise SystemExit(f"{row}: {done.stderr.strip().splitlines()[-1]}")
    numbers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return numbers


def show(row: str, path: Path, tilt_deg: float) -> None:
    """Measure a row and print it."""
    first, second, parallel = (one_run(row, path, tilt_deg, threads) for threads in (1, 1, 2))
    error, wall, cpu, memory, digest = first
    same = " / ".join("yes" if other[4] == digest else "no" for other in (second, parallel))
    wall, cpu, memory = (min(a, b) for a, b in zip(first[1:4], second[1:4], strict=True))
    print(
        f"{row:11} {error:9.3f} {wall:8.1f} {cpu:7.1f} {parallel[1]:12.1f} {memory:10.0f}  {same}",
        flush=True,
    )


def main() -> None:
    """Measure all libraries that are there and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=2, default=(1000, 2000), metavar=("Y", "X"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tilt", type=float, default=-15.0, help="deg: more changes contrast more")
    parser.add_argument("--power", type=float, default=1.0, help="of the tilted map, from 1e-5 up")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one[0], Path(asked.one[1]), asked.tilt)
        return
    maps = simulated(tuple(asked.size), asked.seed, asked.tilt)
    maps = replace(maps, moving=np.maximum(maps.moving, 1e-5) ** asked.power)
    print(f"start {maps.error_px(start_of(maps, asked.tilt)):.1f} px off")
    print("row          error px  seconds   CPU s  s, 2 threads  memory MB  same bytes")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.npz"
        np.savez(path, **vars(maps))
        for row in asked.rows:
            if importlib.util.find_spec(ROWS[row][0]) is None:
                print(f"{row:11} not installed")
                continue
            show(row, path, asked.tilt)


if __name__ == "__main__":
    main()
