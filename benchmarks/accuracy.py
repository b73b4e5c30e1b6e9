"""How near the truth the maps of a tile come, against signal-to-noise ratio, and what noise allows.

    python benchmarks/accuracy.py              the table, and benchmarks/results/accuracy.png
    python benchmarks/accuracy.py --size 40    more A-lines, smoother numbers

Blocks of uniform tissue are simulated in memory, with speckle and noise. Errors are medians of
absolute errors. The floor is the Cramer-Rao bound of the window: intensity weighs every sample,
phases of double retardance have the variance noise / intensity. Exit status 1 where a goal at
20 dB is missed.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from octflow.core.axial import axis_difference
from octflow.core.instrument import Instrument
from octflow.io.picture import write_figure
from octflow.simulate.cameras import noise_floor
from octflow.simulate.settings import CameraNoise
from octflow.simulate.uniform import uniform_jones
from octflow.stages.process.contrast import Contrasts, contrasts
from octflow.stages.process.products import (
    Maps,
    Window,
    enface_maps,
    rotation_maps,
    slope_maps,
    surface_by,
    window_of,
)
from octflow.stages.process.quality import mean_noise, noise_floor_db
from octflow.stages.process.scattering import scattering

SNR_DB = (10, 15, 20, 25, 30)
GOAL_SNR_DB = 20
DELTA_N = (5e-4, 1e-3, 2e-3, 3e-3)
AXIS_DEG, PER_MM, DEPTH_PX = 25.0, 4.0, 80
OPTICS = Instrument()
WINDOW = Window(
    offset_px=0,
    depth_px=DEPTH_PX,
    wavelength_um=OPTICS.wavelength_um,
    voxel_z_um=OPTICS.voxel_z_um,
)
FOLD_DELTA_N = OPTICS.wavelength_um / 4 / (DEPTH_PX * OPTICS.voxel_z_um)
MEDIAN_OF_NORMAL = 0.6745
GAMMA_MEDIAN = 1.6783 / 2
"""Median over mean of the intensity of noise in two channels."""


@dataclass(frozen=True)
class Line:
    """One quantity: its error at every SNR, the floor, and the goal at 20 dB."""

    panel: str
    name: str
    unit: str
    errors: list[float]
    floor: list[float]
    goal: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is kept."""
        return self.goal is None or self.errors[SNR_DB.index(GOAL_SNR_DB)] <= self.goal


@dataclass(frozen=True)
class Block:
    """A simulated block with its truth."""

    delta_n: float
    snr_db: float
    volumes: Contrasts
    surface_px: NDArray[np.floating]

    def maps(self, surface_rule: str, birefringence: str = "slope") -> Maps:
        """Return the maps as the stage process makes them."""
        surface = surface_by(surface_rule, self.volumes.intensity_db, 55)
        bounds = window_of(surface, WINDOW, len(self.volumes.intensity_db))
        maps = enface_maps(self.volumes, surface, bounds)
        if birefringence == "fold":
            return maps | rotation_maps(self.volumes, bounds, WINDOW, 6e-3)
        return maps | slope_maps(*self.volumes[1:], bounds, WINDOW)


def simulate(size_px: int) -> list[list[Block]]:
    """Return blocks by birefringence and SNR."""

    def block(delta_n: float, snr_db: float) -> Block:
        jones, surface_px = uniform_jones(
            delta_n,
            snr_db=snr_db,
            axis_deg=AXIS_DEG,
            attenuation_per_mm=PER_MM,
            size_px=size_px,
        )
        return Block(delta_n, snr_db, contrasts(jones), surface_px)

    return [[block(delta_n, snr_db) for snr_db in SNR_DB] for delta_n in DELTA_N]


def floors(delta_n: float, snr_db: float) -> tuple[float, float]:
    """Return the least median errors of birefringence (relative) and axis (deg) in the window."""
    depth = np.arange(DEPTH_PX)
    step_um = OPTICS.voxel_z_um
    per_noise = 10 ** (snr_db / 10) * np.exp(-2 * PER_MM * 1e-3 * step_um * depth)
    middle = np.average(depth, weights=per_noise)
    rate = 1 / math.sqrt(np.sum(per_noise * (depth - middle) ** 2))
    double = 4 * math.pi * delta_n * step_um * depth / OPTICS.wavelength_um
    axis = math.degrees(0.5 / math.sqrt(np.sum(per_noise * np.sin(double) ** 2)))
    relative = rate * OPTICS.wavelength_um / (4 * math.pi * step_um) / delta_n
    return MEDIAN_OF_NORMAL * relative, MEDIAN_OF_NORMAL * axis


def surface_lines(blocks: list[Block]) -> Iterator[Line]:
    """Measure the surface; its floor is that of counting whole samples."""
    for rule in ("find", "find-refined"):
        gaps = [b.maps(rule)["surf"] - b.surface_px for b in blocks]
        errors = [float(np.median(np.abs(gap))) for gap in gaps]
        floor = [0.25 if rule == "find" else math.nan] * len(SNR_DB)
        yield Line("surface", rule, "px", errors, floor, 1.0)
        yield Line("", f"{rule}, bias", "px", [float(np.median(gap)) for gap in gaps], [])


def birefringence_lines(blocks: list[Block]) -> Iterator[Line]:
    """Measure birefringence and axis by both methods."""
    delta_n = blocks[0].delta_n
    least = [floors(delta_n, snr_db) for snr_db in SNR_DB]
    for method in ("slope", "fold"):
        maps = [b.maps("find", method) for b in blocks]
        slopes = [100 * (m["biref"] / delta_n - 1) for m in maps]
        turns = [axis_difference(m["ori"], AXIS_DEG) for m in maps]
        name = f"{method}, dn {delta_n:.1e}"
        goals = (5.0, 2.0) if method == "fold" else (None, None)
        for panel, unit, gaps, i in (("birefringence", "%", slopes, 0), ("axis", "deg", turns, 1)):
            errors = [float(np.median(np.abs(gap))) for gap in gaps]
            floor = [(100, 1)[i] * pair[i] for pair in least]
            yield Line(panel, f"{panel}, {name}", unit, errors, floor, goals[i])
        yield Line("", f"bias, {name}", "%", [float(np.median(s)) for s in slopes], [])


def scattering_lines(blocks: list[Block]) -> Iterator[Line]:
    """Measure the scattering coefficient with and without the noise."""
    for name in ("keep", "subtract"):
        errors = []
        for block in blocks:
            intensity_db = block.volumes.intensity_db
            surface = surface_by("find", intensity_db, 55)
            bounds = window_of(surface, WINDOW, len(intensity_db))
            noise = mean_noise(intensity_db) if name == "subtract" else 0.0
            floor = np.full(len(intensity_db), noise)
            found = scattering(intensity_db, *bounds, OPTICS.voxel_z_um / 1000, floor)
            errors.append(100 * float(np.median(np.abs(found / PER_MM - 1))))
        yield Line("scattering", f"mus, noise: {name}", "%", errors, [])


def noise_line(blocks: list[Block]) -> Line:
    """Compare the noise floor with that of the simulated cameras."""
    expected_db = 10 * math.log10(noise_floor(CameraNoise()) * GAMMA_MEDIAN)
    gaps = [noise_floor_db(b.volumes.intensity_db) - expected_db for b in blocks]
    return Line("", "noise floor - theory", "dB", gaps, [])


def show(lines: list[Line]) -> None:
    """Print the table."""
    head = "".join(f"{snr_db:>5} dB" for snr_db in SNR_DB)
    print(f"{'quantity':32} {'unit':4} {head}   floor at {GOAL_SNR_DB} dB   goal")
    at = SNR_DB.index(GOAL_SNR_DB)
    for line in lines:
        floor = f"{line.floor[at]:.2g}" if line.floor and not math.isnan(line.floor[at]) else ""
        goal = "" if line.goal is None else f"{line.goal:g}{'' if line.met else ' MISSED'}"
        numbers = "".join(f"{error:8.2f}" for error in line.errors)
        print(f"{line.name:32} {line.unit:4} {numbers}   {floor:>14}   {goal}")


def plot(path: Path, lines: list[Line]) -> None:
    """Draw errors (lines) and floors (dotted, same colour) against SNR."""
    panels = {"surface": "px", "birefringence": "%", "axis": "deg"}
    figure = Figure(figsize=(15, 5), layout="constrained")
    for axes, (panel, unit) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for line in (one for one in lines if one.panel == panel):
            style = "--" if "slope" in line.name else "-"
            (drawn,) = axes.plot(SNR_DB, line.errors, style, marker="o", label=line.name)
            axes.plot(SNR_DB, line.floor, ":", color=drawn.get_color())
        goal = next(one.goal for one in lines if one.panel == panel and one.goal)
        axes.plot([GOAL_SNR_DB], [goal], "kv", label="goal")
        axes.set(title=f"{panel}, median error; dotted: floor", xlabel="SNR, dB", ylabel=unit)
        axes.set_yscale("log")
        axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_figure(path, figure)


def main() -> None:
    """Simulate, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=24, help="A-lines along x and y of a block")
    blocks = simulate(parser.parse_args().size)
    lines = [*surface_lines(blocks[0]), *scattering_lines(blocks[0]), noise_line(blocks[0])]
    lines += [line for row in blocks for line in birefringence_lines(row)]
    print(f"Retardance folds in the window of {DEPTH_PX} samples from dn {FOLD_DELTA_N:.2e} on.")
    show(lines)
    path = Path(__file__).parent / "results" / "accuracy.png"
    plot(path, lines)
    print(f"plot: {path}")
    if not all(line.met for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
