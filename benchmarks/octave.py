"""What the same formulas cost in GNU Octave, one thread each.

    python benchmarks/octave.py                  32 B-lines of 350 A-lines

Simulated spectra lie in memory; measured are spectral -> complex and spectral -> all volumes and
maps by the same formulas, without files and without judging the tile. "functions of matlab/" are
those that the tests compare: single precision, interpolation by a table, as octflow does it.
"plain" goes from spectra to complex with interp1 in double precision, and on with the same
functions. Both are vectorised over A-lines and timed inside Octave. Rows are taken in turn, each
in a process of its own on one thread; printed are CPU seconds, the fewest of each row, scaled up to
350 B-lines: whatever else runs on the machine only adds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from octflow.core.instrument import N_DEPTH
from octflow.core.spectra.reconstruct import complex_tile
from octflow.io.complex_tiles import BLOCK_LINES
from octflow.io.raw import read_raw_bytes, spectra_of
from octflow.io.spectral_tiles import read_reconstruction
from octflow.simulate.acquisition import Exposure, write_raw_tile
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation
from octflow.stages.process.contrast import Contrasts, fill_contrasts
from octflow.stages.process.products import Window, enface_maps, slope_maps, window_of
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.process.surface import find_surface

N_X, N_Y = 350, 32
WHOLE_TILE = 350 / N_Y
INSTRUMENT = preset("full-tile").instrument
SETTINGS = ProcessSettings(surface="find", birefringence="slope")
WINDOW = Window(
    offset_px=SETTINGS.enface_offset_px,
    depth_px=SETTINGS.enface_depth_px,
    wavelength_um=INSTRUMENT.wavelength_um,
    voxel_z_um=INSTRUMENT.voxel_z_um,
)
RAW = "mosaic_001_image_0001_spectral_0001.nii"
FUNCTIONS = Path(__file__).parents[1] / "matlab"
PLAIN = Path(__file__).parent / "plain"

OCTAVE = """
addpath('{functions}'); addpath('{plain}');
job = jsondecode(fileread('{job}'));
spectra = read_spectra('{raw}', 'spectral', {n_x}, {n_y});
tables = spectral_tables(job.instrument.cameras(:), zeros(2048, 2), 'none');
cameras = job.instrument.cameras(:);
for s = {{spectra(:, :, :, 1), spectra}}
    started = cputime;
    [j1, j2] = {reconstruct};
    complex_s = cputime - started;
    [i, r, a] = complex_to_volumes(j1, j2, job.settings);
    maps = tile_maps(i, r, a, job.settings, job.instrument);
    products_s = cputime - started;
end
disp(jsonencode([complex_s, products_s]));
"""
OCTAVE_ROWS = {
    "Octave, functions of matlab/": "spectral_to_complex(s{1}, tables)",
    "Octave, plain": "spectral_to_complex_plain(s{1}, cameras)",
}


def complex_blocks(spectra: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Reconstruct block by block, in the same memory, as process does."""
    recipe = read_reconstruction(INSTRUMENT, "none")
    jones = np.empty((2, N_DEPTH, BLOCK_LINES, spectra.shape[2]), np.complex64)
    for first in range(0, len(spectra), BLOCK_LINES):
        where = slice(first, first + BLOCK_LINES)
        yield where, complex_tile(spectra[where], recipe.tables, recipe.phasor, jones=jones)


def products(spectra: np.ndarray) -> None:
    """Compute all volumes and maps."""
    shape = (N_DEPTH, len(spectra), spectra.shape[2])
    volumes = Contrasts(*(np.empty(shape, np.float32) for _ in range(3)))
    for where, jones in complex_blocks(spectra):
        fill_contrasts(volumes, where.start, jones)
    surface = find_surface(volumes.intensity_db)
    bounds = window_of(surface, WINDOW, N_DEPTH)
    enface_maps(volumes, surface, bounds)
    slope_maps(volumes.retardance_deg, volumes.axis_deg, bounds, WINDOW)


def simulation() -> Simulation:
    """Return the simulation of some B-lines of a tile."""
    whole = preset("full-tile")
    row = whole.experiment.illuminations[0].model_copy(
        update={"tile_size_x_px": N_X, "tile_size_y_px": N_Y}
    )
    experiment = whole.experiment.model_copy(update={"illuminations": (row,)})
    return whole.model_copy(update={"experiment": experiment})


def run_octflow(folder: Path) -> None:
    """Print the times of octflow, compiled code loaded before."""
    spectra = spectra_of(read_raw_bytes(folder / RAW), "spectral", N_X, N_Y)
    for part in (spectra[:BLOCK_LINES], spectra):
        started = time.process_time()
        for _ in complex_blocks(part):
            pass
        complex_s = time.process_time() - started
        started = time.process_time()
        products(part)
        products_s = time.process_time() - started
    print(json.dumps([complex_s, products_s]))


def measure_octflow(folder: Path) -> list[float]:
    """Measure octflow in a process of its own."""
    return said([sys.executable, __file__, "--child", str(folder)])


def measure_octave(folder: Path, reconstruct: str) -> list[float]:
    """Measure Octave."""
    told = {"functions": FUNCTIONS, "plain": PLAIN, "job": folder / "job.json"}
    code = OCTAVE.format(**told, raw=folder / RAW, n_x=N_X, n_y=N_Y, reconstruct=reconstruct)
    return said(["octave-cli", "--no-gui", "-qf", "--eval", code])


def said(command: list[str]) -> list[float]:
    """Run a command and read the two times it prints: to the complex tile, to all products."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return json.loads(done.stdout)


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_octflow(asked.child)
        return
    rows = OCTAVE_ROWS if shutil.which("octave-cli") else {}
    if not rows:
        print("GNU Octave (octave-cli) is not installed: its rows are left out")
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_raw_tile(simulation(), Exposure(1, 1, 1), folder / RAW)
        job = {"instrument": INSTRUMENT.plain(), "settings": SETTINGS.plain()}
        (folder / "job.json").write_text(json.dumps(job))
        for _ in range(asked.repeats):
            found = {"octflow": measure_octflow(folder)}
            rounds.append(found | {row: measure_octave(folder, f) for row, f in rows.items()})
    report(rounds)


def report(rounds: list[dict[str, list[float]]]) -> None:
    """Print the table."""
    print(f"{'CPU s, 350 x 350 A-lines':30} {'-> complex':>11} {'':7} {'-> products':>11}")
    fastest = {
        row: [WHOLE_TILE * min(r[row][step] for r in rounds) for step in (0, 1)]
        for row in rounds[0]
    }
    ours = fastest["octflow"]
    for row, (complex_s, products_s) in fastest.items():
        ratios = complex_s / ours[0], products_s / ours[1]
        print(f"{row:30} {complex_s:11.2f} {ratios[0]:6.1f}x {products_s:11.2f} {ratios[1]:6.1f}x")


if __name__ == "__main__":
    main()
