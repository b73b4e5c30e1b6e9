"""The archive copy of a raw tile: our throughput and size against gzip of Python at level 3.

    python benchmarks/archive.py                 92 MB of simulated spectra, on 1 and 2 threads
    python benchmarks/archive.py RAW --threads 8

Prints medians in MB of raw data per second. "packed" only compresses, on one thread; "archived" is
the whole of it: read, digest, compress, write, flush, read back, compare. gzip is given the same to
do, with a second digest to compare by. All rows are measured in turn.

Then, for the simulated file, what is read of it to be reconstructed and archived: in two jobs, or
archived while it is reconstructed. The kernel counts the bytes.
"""

import argparse
import gzip
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import deflate
from isal import isal_zlib

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.record import Product, Unit
from octflow.io.archive import archive_file
from octflow.io.archive_tiles import Along, TileArchive
from octflow.io.batch import TileJob
from octflow.io.spectral_tiles import SpectralTile, read_reconstruction
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation
from octflow.simulate.tiles import tile_spectra

BLOCK = 1 << 20
N_X, N_Y = 350, 32


def simulate_raw(path: Path) -> None:
    """Write the raw file of a tile of 350 x 32 A-lines."""
    plain = preset("full-tile").plain()
    plain["experiment"]["illuminations"][0]["tile_size_y_px"] = N_Y
    spectra = tile_spectra(Simulation.model_validate(plain), 1, 1, threads=2)
    path.write_bytes(bytes(352) + spectra.tobytes())


def pack_members(raw: bytes, level: int) -> int:
    """Compress with libdeflate, block by block; return the size."""
    blocks = (raw[i : i + BLOCK] for i in range(0, len(raw), BLOCK))
    return sum(len(deflate.gzip_compress(block, level)) for block in blocks)


def pack_mixed(raw: bytes) -> int:
    """Compress every second block with ISA-L, the others with libdeflate; return the size."""
    blocks = [raw[i : i + BLOCK] for i in range(0, len(raw), BLOCK)]
    fast = sum(len(isal_zlib.compress(block, 3)) for block in blocks[::2])
    return fast + sum(len(deflate.gzip_compress(block, 5)) for block in blocks[1::2])


def archive_with_gzip(source: Path, target: Path) -> None:
    """Do with the standard library what `archive_file` does."""
    digest, back = hashlib.sha256(), hashlib.sha256()
    with source.open("rb") as file, gzip.open(target, "wb", compresslevel=3) as packed:
        while block := file.read(BLOCK):
            digest.update(block)
            packed.write(block)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    with gzip.open(target, "rb") as packed:
        while block := packed.read(BLOCK):
            back.update(block)
    if back.digest() != digest.digest():
        raise RuntimeError(f"{target}: other content")


def bytes_read() -> int:
    """Return how many bytes this process has read, as the kernel counts them."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def reconstruct(raw: Path, settings: ArchiveAlong) -> TileJob:
    """Read and reconstruct the tile, and archive it meanwhile if settings say where to."""
    source = Product(id="stat:1", path=str(raw), bytes=raw.stat().st_size, role="raw", tile=1)
    job = TileJob(1, source)
    along = Along(settings, Unit(project="benchmark", slice=1), "normal")
    recipe = read_reconstruction(preset("full-tile").instrument, "none")
    with along.copying(job) as copy:
        tile = SpectralTile(source, "spectral", N_X, N_Y, recipe, full_scale_counts=4095, copy=copy)
        for _ in tile.lines():
            pass
    return job


def read_twice(raw: Path, folder: Path) -> None:
    """Reconstruct, then archive, as two jobs do."""
    kept = TileArchive(folder, "benchmark", 1, "normal", 1, 1)
    kept.archive(reconstruct(raw, NO_ARCHIVE), threads=1)


def read_once(raw: Path, folder: Path) -> None:
    """Archive while reconstructing."""
    reconstruct(raw, ArchiveAlong(folder=str(folder), subject="benchmark"))


def report_reading(raw: Path, folder: Path, repeats: int) -> None:
    """Print how often the raw file is read, and how long it takes on one thread."""
    reconstruct(raw, NO_ARCHIVE)
    print(f"\n{'reconstructed and archived':28} {'raw bytes read':>14} {'CPU s':>7}")
    for label, work in (("two jobs", read_twice), ("while it is read", read_once)):
        spans = []
        for number in range(repeats):
            target = folder / f"{work.__name__}-{number}"
            target.mkdir()
            before, started = bytes_read(), time.process_time()
            work(raw, target)
            spans.append(time.process_time() - started)
            read = bytes_read() - before
            packed = sum(p.stat().st_size for p in target.glob("*.gz"))
        share = (read - packed) / raw.stat().st_size
        print(f"{label:28} {share:13.2f}x {median(spans):7.2f}")


def rows_of(source: Path, folder: Path, threads: list[int]) -> dict[str, Callable[[], int]]:
    """Return what is compared; every work returns the size of what it made."""
    raw, target = source.read_bytes(), folder / "copy.nii.gz"
    rows: dict[str, Callable[[], int]] = {
        "packed, gzip 3": lambda: len(gzip.compress(raw, 3)),
        "packed, isal 3": lambda: len(isal_zlib.compress(raw, 3)),
    }
    rows |= {f"packed, libdeflate {n}": partial(pack_members, raw, n) for n in (1, 2, 5)}
    rows["packed, archive.level 1"] = partial(pack_mixed, raw)
    rows["archived, gzip 3"] = partial(archived, archive_with_gzip, source, target)
    for level in (1, 5):
        for n in threads:
            work = partial(archive_file, level=level, threads=n)
            rows[f"archived, level {level}, {n} threads"] = partial(archived, work, source, target)
    return rows


def archived(work: Callable[[Path, Path], object], source: Path, target: Path) -> int:
    """Archive; return the size."""
    work(source, target)
    return target.stat().st_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = asked.raw or folder / "raw.nii"
        if not asked.raw:
            simulate_raw(source)
        total = source.stat().st_size
        rows = rows_of(source, folder, asked.threads)
        spans: dict[str, list[float]] = {label: [] for label in rows}
        sizes: dict[str, int] = {}
        for _ in range(asked.repeats):
            for label, work in rows.items():
                started = time.perf_counter()
                sizes[label] = work()
                spans[label].append(time.perf_counter() - started)
        report({label: median(s) for label, s in spans.items()}, sizes, total)
        if not asked.raw:
            report_reading(source, folder, asked.repeats)


def report(spans: dict[str, float], sizes: dict[str, int], total: int) -> None:
    """Print throughput and size of every row, against the first of its kind."""
    base: dict[str, tuple[float, int]] = {}
    print(f"{'':28} {'MB/s':>7} {'ratio':>6} {'size':>7} {'against gzip 3':>14}")
    for label, span in spans.items():
        rate, size = total / 1e6 / span, sizes[label]
        rate_0, size_0 = base.setdefault(label.split(",")[0], (rate, size))
        print(
            f"{label:28} {rate:7.1f} {rate / rate_0:6.2f} {size / total:7.4f} "
            f"{100 * (size / size_0 - 1):+13.1f}%"
        )


if __name__ == "__main__":
    main()
