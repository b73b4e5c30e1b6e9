"""What one tile costs: time against the floors, memory against the raw file.

    python benchmarks/tiles.py                   350 x 350 A-lines
    python benchmarks/tiles.py --size 128        smaller, quicker
    python benchmarks/tiles.py --cpu             seconds of the processor, on a busy machine

The tile is simulated, its raw file lies in the page cache. Every row is measured in a process of
its own, compiled code loaded before, the rows in turn; printed are medians and peaks of memory.
The floors: bare FFTs are single-precision complex transforms of as many spectra on one thread with
every library at hand (SciPy; pyfftw and mkl_fft where they are installed: `pip install .[bench]`),
of one B-line again and again ("in cache") or of spectra that lie in memory ("streamed", on some
B-lines, scaled up); ratios are to the fastest. Plain I/O reads the raw file and writes as many
bytes as the products have.
"Plain NumPy" is the definition written out in double precision, on some B-lines, scaled up.
GNU Octave has a benchmark of its own, octave.py.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import scipy.fft
from scipy.interpolate import interp1d

from octflow.core.instrument import FIRST_BIN, N_DEPTH, N_SPECTRAL
from octflow.core.record import Outcome, Product, Tiles, Unit
from octflow.core.spectra.reconstruct import complex_tile
from octflow.io.complex_tiles import BLOCK_LINES
from octflow.io.raw import HEADER_BYTES, read_raw_bytes, spectra_of
from octflow.io.records import write_record
from octflow.io.spectral_tiles import read_reconstruction
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation
from octflow.simulate.tiles import tile_spectra
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings
from octflow.workflow.records import Attempt

PLAIN_LINES = 8
CPU = "--cpu" in sys.argv


def clock() -> float:
    """Return seconds; of the processors where others use them, too."""
    return time.process_time() if CPU else time.perf_counter()


WARM = 32


def simulation_of(size: int) -> Simulation:
    """Return the simulation of one tile of `size` x `size` A-lines."""
    simulated = preset("full-tile")
    row = simulated.experiment.illuminations[0].model_copy(
        update={"tile_size_x_px": size, "tile_size_y_px": size}
    )
    experiment = simulated.experiment.model_copy(update={"illuminations": (row,)})
    return simulated.model_copy(update={"experiment": experiment})


def simulate(folder: Path, size: int) -> None:
    """Write the raw file of one tile."""
    folder.mkdir()
    with (folder / "mosaic_001_image_0001_spectral_0001.nii").open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        file.write(tile_spectra(simulation_of(size), 1, 1, threads=2).data)


def raw_of(folder: Path) -> Path:
    """Return the raw file."""
    return folder / "mosaic_001_image_0001_spectral_0001.nii"


def spectra_in(folder: Path, size: int) -> np.ndarray:
    """Read the raw file."""
    return spectra_of(read_raw_bytes(raw_of(folder)), "spectral", size, size)


def transform_by(library: str, shape: tuple[int, int]) -> Callable[[np.ndarray], None]:
    """Return a transform of B-lines into memory that is used again."""
    result = np.empty(shape, np.complex64)
    if library == "mkl_fft":
        os.environ["MKL_NUM_THREADS"] = "1"
        import mkl_fft

        return lambda lines: mkl_fft.fft(lines, axis=1, out=result)
    if library == "pyfftw":
        import pyfftw

        # Planning writes into the memory it is given.
        lines = pyfftw.empty_aligned(shape, np.complex64)
        plan = pyfftw.FFTW(lines, pyfftw.byte_align(result), axes=(1,), flags=("FFTW_MEASURE",))
        return lambda lines: plan(lines, normalise_idft=False)
    return lambda lines: scipy.fft.fft(lines, axis=1, overwrite_x=True, workers=1)


def bare_fft(folder: Path, size: int, library: str, n_y: int) -> float:
    """Transform as many spectra as the tile has, those of `n_y` B-lines over and over."""
    # Numbers that do not grow: what is transformed again and again in place are zeros.
    lines = np.zeros((2 * n_y, size, N_SPECTRAL), np.complex64)
    lines.fill(0)
    transform = transform_by(library, lines.shape[1:])
    started = clock()
    for _ in range(max(size // n_y, 1)):
        for line in lines:
            transform(line)
    return (clock() - started) * size / (n_y * max(size // n_y, 1))


def reconstruct(folder: Path, size: int) -> float:
    """Reconstruct the tile block by block, as process does."""
    spectra = spectra_in(folder, size)
    recipe = read_reconstruction(simulation_of(size).instrument, "none")
    jones = np.empty((2, N_DEPTH, BLOCK_LINES, size), np.complex64)
    started = clock()
    for first in range(0, size, BLOCK_LINES):
        block = spectra[first : first + BLOCK_LINES]
        complex_tile(block, recipe.tables, recipe.phasor, jones=jones[:, :, : len(block)])
    return clock() - started


def reconstruct_plainly(folder: Path, size: int) -> float:
    """Write out the definition in double precision, on some B-lines."""
    spectra = spectra_in(folder, size)[:PLAIN_LINES]
    cameras = simulation_of(size).instrument.cameras
    pixel = np.arange(1, N_SPECTRAL + 1)
    wavelengths = [c.slope_nm * pixel + c.offset_nm for c in cameras]
    shortest, longest = max(w[0] for w in wavelengths), min(w[-1] for w in wavelengths)
    wanted = 2 * np.pi / np.linspace(2 * np.pi / shortest, 2 * np.pi / longest, N_SPECTRAL)
    wanted = np.clip(wanted, shortest, longest)
    phasor = np.exp(-1j * np.zeros(N_SPECTRAL))
    started = clock()
    for line in spectra:
        for channel, wavelength in enumerate(wavelengths):
            counts = line[channel, :, :: -1 if channel else 1].astype(float)
            counts -= counts.mean(axis=0)
            even = interp1d(wavelength, counts, axis=1, assume_sorted=True)(wanted)
            even = (even - np.median(even, axis=0)) * phasor
            np.conj(np.fft.fft(even, axis=1)[:, FIRST_BIN : FIRST_BIN + N_DEPTH])
    return (clock() - started) * size / len(spectra)


def _flag(path: Path, rule: str, parameters: dict, **told: object) -> Path:
    attempt = Attempt(
        stage=rule.split("_", 1)[0],
        rule=rule,
        unit=Unit(project="benchmark", slice=1, mosaic=1, batch=1, illumination="normal"),
        flags=[],
        parameters=parameters,
        stage_version=1,
        pool="tile",
        threads=1,
    )
    write_record(path, attempt.succeeded(Outcome(**told), {}))
    return path


def convert(
    folder: Path, size: int, mode: str = "keep", *, tiles: int = 1, threads: int = 1
) -> float:
    """Run the stage convert on as many tiles, which are one file."""
    shutil.rmtree(folder / "complex", ignore_errors=True)
    raw, simulated = raw_of(folder), simulation_of(size)
    sources = [
        Product(id="stat:1", path=str(raw), bytes=raw.stat().st_size, role="raw", tile=tile)
        for tile in range(1, tiles + 1)
    ]
    settings = ConvertSettings(complex=mode)
    started_flag = _flag(
        folder / "started",
        "start_batch",
        {"acquisition": {"format": "spectral"}},
        inputs=sources,
        tiles=Tiles(ok=[source.tile for source in sources]),
    )
    started = clock()
    outcome = convert_batch(
        started=started_flag,
        folder=folder / "complex",
        illumination=simulated.experiment.illuminations[0],
        instrument=simulated.instrument,
        settings=settings,
        threads=threads,
    )
    took_s = clock() - started
    told = outcome.model_dump()
    _flag(folder / "converted", "convert_batch", {"settings": settings.plain()}, **told)
    return took_s


def process(folder: Path, size: int, *, threads: int = 1) -> float:
    """Run the stage process on what was converted."""
    shutil.rmtree(folder / "processed", ignore_errors=True)
    simulated = simulation_of(size)
    started = clock()
    process_batch(
        converted=folder / "converted",
        folder=folder / "processed",
        overview=folder / "overview.jpg",
        illumination=simulated.experiment.illuminations[0],
        instrument=simulated.instrument,
        settings=ProcessSettings(),
        threads=threads,
    )
    return clock() - started


def fuse(folder: Path, size: int, *, tiles: int = 1, threads: int = 1) -> float:
    """Run convert and process without complex files."""
    checked_s = convert(folder, size, "none", tiles=tiles, threads=threads)
    return checked_s + process(folder, size, threads=threads)


def plain_io(folder: Path, size: int) -> float:
    """Read the raw file and write as many bytes as the products have, to the disk."""
    n_bytes = sum(p.stat().st_size for p in (folder / "processed").glob("*.nii"))
    block = bytearray(1 << 22)
    started = clock()
    with raw_of(folder).open("rb", buffering=0) as file:
        while file.readinto(block):
            pass
    with (folder / "plain").open("wb", buffering=0) as file:
        for _ in range(n_bytes // len(block)):
            file.write(block)
        os.fsync(file.fileno())
    took_s = clock() - started
    (folder / "plain").unlink()
    return took_s


LIBRARIES = [name for name in ("scipy", "pyfftw", "mkl_fft") if importlib.util.find_spec(name)]
IN_CACHE, STREAMED = "FFTs in cache, ", "FFTs streamed, "
STREAMED_LINES = 40

ROWS = {
    **{IN_CACHE + name: partial(bare_fft, library=name, n_y=1) for name in LIBRARIES},
    **{STREAMED + name: partial(bare_fft, library=name, n_y=STREAMED_LINES) for name in LIBRARIES},
    "spectral -> complex": reconstruct,
    "the same, plain NumPy": reconstruct_plainly,
    "convert, complex kept": convert,
    "process, complex kept": process,
    "raw -> products, none": fuse,
    "plain I/O": plain_io,
}
THREADS = {
    f"{name}, 2 tiles, {n} thread{'s' * (n > 1)}": partial(stage, tiles=2, threads=n)
    for name, stage in (("convert", convert), ("fused", fuse))
    for n in (1, 2)
}


def measure(row: str, folder: Path, size: int) -> tuple[float, float, float]:
    """Measure a row in a process of its own; return seconds, CPU seconds and peak GB."""
    command = [sys.executable, __file__, "--child", row, "--folder", str(folder)]
    command += ["--cpu"] * CPU
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen([*command, "--size", str(size)], stdout=said)
        _, status, usage = os.wait4(child.pid, 0)
        said.seek(0)
        if status:
            sys.exit(f"{row}: failed")
        took_s, cpu_s = json.loads(said.read())
        return took_s, cpu_s, usage.ru_maxrss * 1024 / 1e9


def run_child(row: str, folder: Path, size: int) -> None:
    """Load compiled code on a small tile, then measure."""
    os.chdir(folder)
    if row == "simulate":
        simulate(folder / "small", WARM)
        simulate(folder / "large", size)
        print("[0, 0]")
        return
    run = (ROWS | THREADS)[row]
    run(folder / "small", WARM)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    took_s = run(folder / "large", size)
    cpu_s = time.process_time() - cpu_s
    print(json.dumps([time.perf_counter() - began_s if row in THREADS else took_s, cpu_s]))


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=350)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--cpu", action="store_true", help="seconds of the processor, where others use it, too"
    )
    parser.add_argument(
        "--folder", type=Path, help="where files go; a temporary folder if not given"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_child(asked.child, asked.folder, asked.size)
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        # Not here: a child counts the memory of the process it was forked from.
        measure("simulate", folder, asked.size)
        raw_gb = raw_of(folder / "large").stat().st_size / 1e9
        # In turn, so that what else the machine does falls on all rows alike.
        rounds = [
            {row: measure(row, folder, asked.size) for row in ROWS} for _ in range(asked.repeats)
        ]
        beside = {row: measure(row, folder, asked.size) for row in THREADS}
    found = {
        row: (median(r[row][0] for r in rounds), max(r[row][2] for r in rounds)) for row in ROWS
    }
    report(found, raw_gb, asked.size)
    report_threads(beside)


def fastest(found: dict[str, tuple[float, float]], floor: str) -> tuple[float, str]:
    """Return seconds and name of the fastest library."""
    return min((found[floor + name][0], name) for name in LIBRARIES)


def report(found: dict[str, tuple[float, float]], raw_gb: float, size: int) -> None:
    """Print the table."""
    (cached_s, cached), (streamed_s, streamed) = (
        fastest(found, floor) for floor in (IN_CACHE, STREAMED)
    )
    floor_s = streamed_s + found["plain I/O"][0]
    print(f"{size} x {size} A-lines, raw tile {raw_gb:.2f} GB")
    print(f"fastest FFTs: {cached} in cache, {streamed} streamed")
    print(
        f"{'':28} {'s':>7} {'/ cached':>8} {'/ streamed':>10} {'/ (I/O + streamed)':>18} "
        f"{'peak GB':>8} {'/ raw':>6}"
    )
    for row, (took_s, peak_gb) in found.items():
        print(
            f"{row:28} {took_s:7.2f} {took_s / cached_s:8.2f} {took_s / streamed_s:10.2f} "
            f"{took_s / floor_s:18.2f} {peak_gb:8.2f} {peak_gb / raw_gb:6.2f}"
        )


def report_threads(found: dict[str, tuple[float, float, float]]) -> None:
    """Print how many processors were busy, which must not exceed the threads asked for."""
    print(f"{'':28} {'s':>7} {'CPU s':>8} {'CPU s / s':>10} {'peak GB':>8}")
    for row, (took_s, cpu_s, peak_gb) in found.items():
        print(f"{row:28} {took_s:7.2f} {cpu_s:8.2f} {cpu_s / took_s:10.2f} {peak_gb:8.2f}")


if __name__ == "__main__":
    main()
