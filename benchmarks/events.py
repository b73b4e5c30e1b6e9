"""What a look for events costs, on a project whose batches are done.

    python benchmarks/events.py                  200 mosaics x 20 batches x 25 tiles
    python benchmarks/events.py --mosaics 20

Prints CPU time of the first look, of one that finds nothing, and of a restart; and peak memory.
Every batch has four flags with 200 products each, and as many attempts.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from octflow.core.experiment import Experiment, Illumination
from octflow.core.layout import flag
from octflow.core.record import Outcome, Product, Record, Tiles, Unit
from octflow.services.events.catalogue import Context
from octflow.services.events.scan import EventLog
from octflow.workflow.records import Attempt, lineage_folder

BATCHES, TILES = 20, 25
RULES = ("start_batch", "convert_batch", "process_batch", "archive_batch")
ROLES = ("dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref")


def template() -> Record:
    """Return the record of a batch as large as one of the workflow."""
    unit = Unit(project="large", slice=1, mosaic=1, batch=1)
    outputs = [
        Product(id="stat:1", path=f"processed/t{tile}_{role}.nii", bytes=9, role=role, tile=tile)
        for tile in range(TILES)
        for role in ROLES
    ]
    attempt = Attempt("process", RULES[0], unit, [], {}, 1, "tile", 1)
    return attempt.succeeded(Outcome(outputs=outputs, tiles=Tiles(ok=list(range(TILES)))), {})


def fill(project: Path, mosaics: int) -> None:
    """Write flags and attempts of all batches."""
    record = template()
    jobs = [(m, b, r) for m in range(1, mosaics + 1) for b in range(1, BATCHES + 1) for r in RULES]
    for number, (mosaic, batch, rule) in enumerate(jobs):
        unit = Unit(project="large", slice=mosaic, mosaic=mosaic, batch=batch)
        changed = {"rule": rule, "unit": unit, "record_id": f"sha256:{number:064x}"}
        one = record.model_copy(update=changed)
        # Plain files: flushing each to disk, as the workflow does, takes minutes.
        text = one.model_dump_json(indent=1)
        lineage = lineage_folder(rule, unit) / "attempt-001.json"
        for path in (flag(rule, mosaic=mosaic, batch=batch), lineage):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)


def timed(words: str, call: Callable[[], object]) -> None:
    """Print the CPU time of a call."""
    start_s = time.process_time()
    call()
    print(f"{words:32} {time.process_time() - start_s:6.2f} s")


def main() -> None:
    """Fill a project and print what looks at it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mosaics", type=int, default=200)
    asked = parser.parse_args()
    grid = Experiment(
        grid_size_y=TILES, illuminations=(Illumination(name="n", grid_size_x=BATCHES),)
    )
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        fill(project, asked.mosaics)
        about = (project, Context("large", "large", folder), grid)
        log = EventLog(*about)
        timed("first look", log.scan)
        timed("look that finds nothing", log.scan)
        print(f"{'events':32} {len(log.events):6}")
        timed("restart and look", lambda: EventLog(*about).scan())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{'peak memory':32} {peak:6} MB")


if __name__ == "__main__":
    main()
