"""The archive copy of a raw tile: our throughput and size against gzip of Python at level 3.

    python benchmarks/archive.py                 92 MB of simulated spectra, on 1 and 2 threads
    python benchmarks/archive.py RAW --threads 8

Prints medians in MB of raw data per second. "packed" only compresses; "archived" is the whole
of it: read, digest, compress, write, flush, read back, digest. gzip is given the same to do.
"""

import argparse
import gzip
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import deflate
from isal import isal_zlib

from octflow.io.archive import archive_file
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation
from octflow.simulate.tiles import tile_spectra
from octflow.stages.ingest.settings import IngestSettings

BLOCK = 1 << 20


def simulate_raw(path: Path) -> None:
    """Write the raw file of a tile of 350 x 32 A-lines."""
    plain = preset("full-tile").plain()
    plain["experiment"]["illuminations"][0]["tile_size_y_px"] = 32
    spectra = tile_spectra(Simulation.model_validate(plain), 1, 1, threads=2)
    path.write_bytes(bytes(352) + spectra.tobytes())


def pack_members(raw: bytes, level: int) -> int:
    """Compress with libdeflate, block by block; return the size."""
    blocks = (raw[i : i + BLOCK] for i in range(0, len(raw), BLOCK))
    return sum(len(deflate.gzip_compress(block, level)) for block in blocks)


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


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median duration."""
    spans = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        spans.append(time.perf_counter() - started)
    return median(spans)


def rows_of(source: Path, folder: Path, threads: list[int]) -> list[tuple[str, Callable, Callable]]:
    """Return what is compared: name, work, and what returns its size."""
    raw, target = source.read_bytes(), folder / "copy.nii.gz"
    level = IngestSettings().archive_level

    def size() -> int:
        return target.stat().st_size

    rows = [
        ("packed, gzip 3", lambda: gzip.compress(raw, 3), lambda: len(gzip.compress(raw, 3))),
        *(
            (
                f"packed, isal {n}",
                lambda n=n: isal_zlib.compress(raw, n),
                lambda n=n: len(isal_zlib.compress(raw, n)),
            )
            for n in (1, 3)
        ),
        *(
            (
                f"packed, libdeflate {n}",
                lambda n=n: pack_members(raw, n),
                lambda n=n: pack_members(raw, n),
            )
            for n in (1, 2, 5)
        ),
        ("archived, gzip 3", lambda: archive_with_gzip(source, target), size),
    ]
    rows += [
        (
            f"archived, octflow, {n} threads",
            lambda n=n: archive_file(source, target, level=level, threads=n),
            size,
        )
        for n in threads
    ]
    return rows


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
        base: dict[str, tuple[float, int]] = {}
        print(f"{'':28} {'MB/s':>7} {'ratio':>6} {'size':>7} {'against gzip 3':>14}")
        for label, work, size_of in rows_of(source, folder, asked.threads):
            rate = total / 1e6 / seconds(work, asked.repeats)
            size = size_of()
            rate_0, size_0 = base.setdefault(label.split(",")[0], (rate, size))
            print(
                f"{label:28} {rate:7.1f} {rate / rate_0:6.2f} {size / total:7.4f} "
                f"{100 * (size / size_0 - 1):+13.1f}%"
            )


if __name__ == "__main__":
    main()
