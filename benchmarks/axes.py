"""The 3-D fibre axis: pixels per second, and errors beside those of the reference method.

    python benchmarks/axes.py                      speed, and errors at 30 dB
    python benchmarks/axes.py --snr 20 --trials 5  another noise, fewer noisy copies per direction

Fibres of one birefringence; the projections p = sqrt(B) (cos phi, sin phi) of every view have
Gaussian noise, whose deviation in each component is sqrt(birefringence) less the SNR (20 log10).
Timed is the whole of `fibre_field` on single-precision maps, from apparent birefringence and
azimuth to axes, birefringence, misfit and uncertainty; and the same after adaptive smoothing of
pixels 20 dB above their noise, which is the widest that the default settings have. On one thread in
seconds of the processor, on two in seconds of the clock, the fewest of some runs each.

The reference is what the toolbox does per pixel: Nelder-Mead from 0 on the squared misfit of the
vectors r = birefringence * sin^2 * direction on both views, in its units (1e-3 of ours, for which
its start and tolerances are made), with its two cases of azimuths below and above 45 degrees.
Its signs of the inclination for azimuths above 45 degrees are those of that method.
"""

import argparse
import math
import time
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from octflow.stages.register.axis3d import half_vectors, project
from octflow.stages.register.fibres import FibreField, View, fibre_field
from octflow.stages.register.smoothing import Smoothing, averaged_views

Floats = NDArray[np.floating]
Vector = tuple[float, float, float]

DN, TILT_DEG = 1e-3, -15.0
SPEED_DB = 20.0
METHODS = ("two views", "three views", "reference", "two views, mode: reference")
AZIMUTHS_DEG = (-80, -60, -40, -20, 0, 20, 40, 60, 80)
INCLINATIONS_DEG = (-80, -60, -40, -20, 0, 20, 40, 60, 80)
CASES = {"two views": (0.0, TILT_DEG), "three views": (0.0, TILT_DEG, -TILT_DEG)}
TOOLBOX_UNIT = 1e-3
START_SIMPLEX = 2.5e-4 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def directions() -> Floats:
    """Return unit vectors (3, azimuths, inclinations)."""
    phi = np.deg2rad(AZIMUTHS_DEG)[:, None]
    alpha = np.deg2rad(INCLINATIONS_DEG)[None]
    flat = np.cos(alpha)
    return np.stack([flat * np.cos(phi), flat * np.sin(phi), np.sin(alpha) + 0 * phi])


def noisy_views(axis: Floats, tilts: Sequence[float], snr_db: float) -> list[View]:
    """Return what views (Y, X) see of axes (3, Y, X), with noise."""
    rng = np.random.default_rng(0)
    views = []
    for tilt_deg in tilts:
        p = half_vectors(*project(axis, np.full(axis.shape[1:], DN), tilt_deg))
        p += math.sqrt(DN) * 10 ** (-snr_db / 20) * rng.normal(size=p.shape)
        apparent = np.sum(p**2, axis=0).astype(np.float32)
        azimuth = np.rad2deg(np.arctan(p[1] / p[0])).astype(np.float32)
        seen = np.ones(apparent.shape, bool)
        views.append(View(f"{tilt_deg:g}", tilt_deg, apparent, apparent, azimuth, seen))
    return views


def residual(seen: Vector, beam: Vector, u: Vector) -> float:
    """Return the squared misfit of the vector that a beam is to see of u."""
    square = u[0] ** 2 + u[1] ** 2 + u[2] ** 2
    if square == 0:
        return math.nan
    along = beam[0] * u[0] + beam[1] * u[1] + beam[2] * u[2]
    across = math.sqrt(max(1 - along**2 / square, 0))
    return sum(
        (s - (one - along * k) * across) ** 2 for s, one, k in zip(seen, u, beam, strict=True)
    )


def wrapped(angle: float) -> float:
    """Wrap an axis angle in rad into (-pi/2, pi/2]."""
    return -((-angle + math.pi / 2) % math.pi - math.pi / 2)


def reference(seen: Sequence[float]) -> Vector:
    """Solve one pixel (B_n, phi_n, B_x, phi_x) as the toolbox does; return its unit axis."""
    b_n, phi_n, b_x, phi_x = seen
    cos_g, sin_g = math.cos(math.radians(TILT_DEG)), math.sin(math.radians(TILT_DEG))
    steep = abs(phi_n) >= math.pi / 4
    if steep:
        phi_n, phi_x = wrapped(math.pi / 2 - phi_n), wrapped(math.pi / 2 - phi_x)
    first = (b_n * math.cos(phi_n), b_n * math.sin(phi_n), 0.0)
    x, y = b_x * math.cos(phi_x), b_x * math.sin(phi_x)
    second = (x, y * cos_g, y * sin_g) if steep else (x * cos_g, y, -x * sin_g)
    beam = (0.0, -sin_g, cos_g) if steep else (sin_g, 0.0, cos_g)

    def cost(u: Floats) -> float:
        at = (float(u[0]), float(u[1]), float(u[2]))
        return residual(first, (0.0, 0.0, 1.0), at) + residual(second, beam, at)

    limits = {"xatol": 1e-4, "fatol": 1e-20, "maxfev": 6000, "maxiter": 6000}
    options = {"initial_simplex": START_SIMPLEX, **limits}
    x, y, z = minimize(cost, np.zeros(3), method="Nelder-Mead", options=options).x
    theta = math.atan2(y, x)
    theta = wrapped(math.pi / 2 - theta if steep else theta)
    alpha = wrapped(math.pi / 2 - math.acos(z / math.sqrt(x * x + y * y + z * z)))
    flat = math.cos(alpha)
    return flat * math.cos(theta), flat * math.sin(theta), math.sin(alpha)


def reference_axes(views: list[View]) -> Floats:
    """Return the axes (3, Y, X) of the reference method from two views."""
    normal, tilted = views
    maps = (
        TOOLBOX_UNIT * normal.birefringence,
        np.deg2rad(normal.axis_deg),
        TOOLBOX_UNIT * tilted.birefringence,
        np.deg2rad(tilted.axis_deg),
    )
    pixels = np.stack(maps).reshape(4, -1).T.tolist()
    return np.array([reference(one) for one in pixels]).T.reshape(3, *normal.valid.shape)


def errors_deg(found: Floats, true: Floats) -> Floats:
    """Return the angles between axes, signs ignored."""
    return np.rad2deg(np.arccos(np.clip(np.abs(np.sum(found * true, axis=0)), 0, 1)))


def seconds(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the fewest seconds, of the processor unless another clock is named."""
    every = []
    for _ in range(repeats):
        started = clock()
        work()
        every.append(clock() - started)
    return min(every)


def alone(views: list[View], threads: int = 1) -> FibreField:
    """Solve for the axes of views as they are."""
    return fibre_field(views, [1.0] * len(views), threads=threads)


def refined(views: list[View], threads: int = 1) -> FibreField:
    """Go on to the minimum of the reference's cost."""
    return fibre_field(views, [1.0] * len(views), mode="reference", threads=threads)


def smoothed(views: list[View], threads: int = 1) -> FibreField:
    """Average like pixels, then solve for the axes."""
    weights = [1.0] * len(views)
    averaged = averaged_views(views, weights, Smoothing(), threads=threads)
    return fibre_field(averaged.views, weights, share=averaged.share, threads=threads)


def show_speed(size: int) -> float:
    """Print pixels per second and memory of the solution; return those of two views."""
    axis = np.random.default_rng(1).normal(size=(3, size, size))
    axis /= np.linalg.norm(axis, axis=0)
    rates = []
    for name, tilts in CASES.items():
        views = noisy_views(axis, tilts, SPEED_DB)
        for work, repeats in ((alone, 7), (refined, 3), (smoothed, 3)):
            work(views)
            rates.append(size**2 / seconds(lambda w=work, v=views: w(v), repeats))
            wall = [
                seconds(lambda w=work, v=views, n=n: w(v, n), repeats, time.perf_counter)
                for n in (1, 2)
            ]
            tracemalloc.start()
            work(views)
            peak = tracemalloc.get_traced_memory()[1] / size**2
            tracemalloc.stop()
            print(
                f"{name}, {work.__name__}: {rates[-1] / 1e6:.2f} million pixels/s,"
                f" {peak:.0f} bytes per pixel; two threads {wall[0] / wall[1]:.2f} times as fast"
            )
    return rates[0]


def show_parity(ours: Floats, theirs: Floats, azimuth_deg: Floats) -> None:
    """Print how far the reference is from the minimum of its cost that lies near our solution.

    For azimuths above 45 degrees its inclination has the wrong sign, and counts negated.
    """
    forwards = np.where(theirs[0] < 0, -theirs, theirs)
    mirrored = forwards * np.array([1, 1, -1])[:, None, None]
    gaps = np.where(azimuth_deg < 45, errors_deg(ours, forwards), errors_deg(ours, mirrored))
    flat = np.abs(azimuth_deg) < 45
    for name, where in (("within", flat), ("beyond", ~flat)):
        near = np.mean(gaps[where] < 1)
        print(
            f"reference beside mode: reference, azimuths {name} 45 deg: median"
            f" {np.median(gaps[where]):.3f} deg, {100 * near:.0f} % within 1 deg"
        )


def show_errors(ours: Floats, three: Floats, theirs: Floats) -> None:
    """Print median errors (azimuths, inclinations) of all methods."""
    print(
        "median error in deg, two views / reference / three views; azimuth down, inclination across"
    )
    print("| " + " | ".join(("", *(f"{one}°" for one in INCLINATIONS_DEG))) + " |")
    print("|---" * (1 + len(INCLINATIONS_DEG)) + "|")
    for azimuth, *lines in zip(AZIMUTHS_DEG, ours, theirs, three, strict=True):
        cells = (" / ".join(f"{one:.1f}" for one in cell) for cell in zip(*lines, strict=True))
        print("| " + " | ".join((f"{azimuth}°", *cells)) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1000, help="pixels along x and y, for speed")
    parser.add_argument("--snr", type=float, default=30, help="dB")
    parser.add_argument("--trials", type=int, default=25, help="noisy copies of a direction")
    given = parser.parse_args()
    rate = show_speed(given.size)
    classes = directions()
    axis = np.repeat(classes.reshape(3, -1, 1), given.trials, axis=2)
    two, three = (noisy_views(axis, tilts, given.snr) for tilts in CASES.values())
    started = time.process_time()
    theirs = reference_axes(two)
    per_pixel = (time.process_time() - started) / axis[0].size
    print(f"Nelder-Mead: {1e3 * per_pixel:.2f} ms per pixel, {rate * per_pixel:.0f} times ours")
    found = [fibre_field(v, [1.0] * len(v)).axis for v in (two, three)]
    every = (*found, theirs, refined(two).axis)
    medians = [np.median(errors_deg(one, axis), axis=1) for one in every]
    for name, one in zip(METHODS, medians, strict=True):
        print(f"{name}: median {np.median(one):.2f} deg over the directions, worst {one.max():.1f}")
    show_parity(refined(two).axis, theirs, two[0].axis_deg)
    show_errors(*(one.reshape(classes.shape[1:]) for one in medians[:3]))


if __name__ == "__main__":
    main()
