"""How fast uploads are beside the command of DANDI's own client, to a server on this machine.

    PYTHONPATH=.:tests/shared python benchmarks/upload.py                4 files of 100 MB
    PYTHONPATH=.:tests/shared python benchmarks/upload.py --files 2 --megabytes 20
    PYTHONPATH=.:tests/shared python benchmarks/upload.py --volumes          volumes of 50 shards

Each in a process of its own, in turn, to a server that has nothing yet; least of --times, from
the first request that comes in to the last, and CPU time of the whole process. octflow reads every
file once more, to hold it against its record, and asks for the digests of what came; the command
is run with one file at a time, as many threads for it as octflow has, and its validation left
out, and asks for nothing.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr

from octflow.io.digest import fast_id, size_bytes

from archive_server import DANDISET, KEY, ArchiveServer, archive_server

SHARDS = 50
"""Files that the voxels of a volume are in."""

OCTFLOW = """
import sys
from pathlib import Path
from octflow.io.digest import size_bytes
from octflow.io.remote.archive import Item, upload
from octflow.io.remote.dandi import DandiArchive
from octflow.io.remote.pace import Pace
from octflow.io.remote.patience import Patience

api, dandiset, key, *words = sys.argv[1:]
items = [Item(Path(w), f"derivatives/{Path(w).name}", i, size_bytes(Path(w)))
         for w, i in (word.split("=") for word in words)]
bounds = {"timeout_s": 120, "pace": Pace(None), "patience": Patience(1, 0, 0)}
upload(DandiArchive(api, dandiset, key, **bounds), items)
"""


def timed(command: list[str], server: ArchiveServer, folder: Path) -> tuple[float, float]:
    """Return seconds between the first and the last request, and CPU seconds of the command."""
    came: list[float] = []
    answered = server.fault

    def fault(method: str, path: str) -> object:
        came.append(time.perf_counter())
        return answered(method, path)

    server.fault = fault
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {
        "DANDI_NO_ET": "1",
        "DANDI_DEVEL": "1",
        "DANDI_CACHE": "ignore",
        "no_proxy": "127.0.0.1",
    }
    environment = (
        os.environ | quiet | {f"127.0.0.1:{server.server_port}_API_KEY": KEY, "HOME": str(folder)}
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return max(came) - min(came), used


def commands(server: ArchiveServer, words: list[str]) -> dict[str, list[str]]:
    """Return both ways to upload the files."""
    bare = ["-i", server.api, "--jobs", "1:5", "--existing", "overwrite", "--validation", "skip"]
    beside = str(Path(sys.executable).parent / "dandi")
    return {
        "dandi upload": [beside, "upload", *bare, "--allow-any-path", "derivatives"],
        "octflow": [sys.executable, "-c", OCTFLOW, server.api, DANDISET, KEY, *words],
    }


def write_file(path: Path, n_bytes: int) -> Path:
    """Write what cannot be packed."""
    path = path.with_suffix(".nii")
    path.write_bytes(os.urandom(n_bytes))
    return path


def write_volume(path: Path, n_bytes: int) -> Path:
    """Write a volume of such bytes, in as many files as shards."""
    path = path.with_suffix(".ome.zarr")
    lines = (SHARDS, n_bytes // SHARDS)
    options = {"shape": lines, "chunks": (1, lines[1]), "dtype": "u1", "compressors": None}
    array = zarr.open_group(path, mode="w").create_array("0", **options)
    array[:] = np.frombuffer(os.urandom(lines[0] * lines[1]), np.uint8).reshape(lines)
    return path


def held_bytes(server: ArchiveServer) -> int:
    """Return how many bytes a server has been sent."""
    volumes = [sum(map(len, one["files"].values())) for one in server.zarrs.values()]
    return sum(map(len, server.blobs.values())) + sum(volumes)


def compared(
    folder: Path, write: Callable[[Path, int], Path], files: int, n_bytes: int, times: int
) -> dict[str, tuple[float, float]]:
    """Return the least seconds and CPU seconds of both."""
    (folder / "derivatives").mkdir()
    (folder / "dandiset.yaml").write_text(f"identifier: '{DANDISET}'\nname: brain\n")
    sources = [write(folder / "derivatives" / str(number), n_bytes) for number in range(files)]
    expected = sum(map(size_bytes, sources))
    words = [f"{source}={fast_id(source)}" for source in sources]
    took: dict[str, list[tuple[float, float]]] = {"dandi upload": [], "octflow": []}
    for _ in range(times):
        for who, runs in took.items():
            with archive_server() as server:
                runs.append(timed(commands(server, words)[who], server, folder))
                if (found := held_bytes(server)) != expected:
                    sys.exit(f"{who}: found {found} bytes sent, expected {expected}")
    return {who: (min(w for w, _ in runs), min(c for _, c in runs)) for who, runs in took.items()}


def main() -> None:
    """Print seconds, MB/s and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--volumes", action="store_true", help="OME-Zarr in place of files")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        n_bytes = asked.megabytes * 10**6
        write = write_volume if asked.volumes else write_file
        least = compared(Path(name), write, asked.files, n_bytes, asked.times)
    for who, (wall_s, cpu_s) in least.items():
        rate = asked.files * asked.megabytes / wall_s
        print(f"{who:14}{wall_s:8.2f} s {rate:8.1f} MB/s {cpu_s:8.2f} s CPU")
    print(f"octflow / dandi upload: {least['octflow'][0] / least['dandi upload'][0]:.2f}")


if __name__ == "__main__":
    main()
