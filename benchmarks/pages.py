"""What the pages of a large project cost, the look at its state not counted.

    python benchmarks/pages.py                 200 mosaics x 20 batches x 25 tiles
    python benchmarks/pages.py --mosaics 20    a tenth of it

The project is that of `benchmarks/state.py`, but flags are records, those of `process_batch` with
nine products of each tile, and every finished batch and mosaic has a picture. Prints CPU times: of
the first writing, which reads all records and makes small copies of all pictures; of writing again
when nothing has changed, and when one batch more is done (least of three).
"""

import argparse
import json
import math
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from state import acquire, config_of, finish

from octflow.core.record import Outcome, Product, Tiles, Unit
from octflow.io.picture import write_preview
from octflow.services.jobs import Expected, Job
from octflow.services.pages import write_pages
from octflow.services.state import peek_project
from octflow.workflow.config import Config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session

PRODUCTS = 9
"""Files that are made of a tile."""


def record_of(rule: str, tiles: list[int]) -> dict[str, Any]:
    """Return a record as a job of the rule leaves it, whose unit is to be filled in."""
    digest = "xxh3:" + 32 * "0"
    count = PRODUCTS if rule == "process_batch" else 0
    outputs = [
        Product(id=digest, path=f"mosaic-001/processed/{tile}_{n}.nii", bytes=1, role="", tile=tile)
        for tile in tiles
        for n in range(count)
    ]
    attempt = Attempt("process", rule, Unit(project="demo"), [], {}, 1, "tile", 1)
    record = attempt.succeeded(Outcome(outputs=outputs, tiles=Tiles(ok=tiles)), {})
    return record.model_dump(mode="json")


def fill(session: Session, mosaics: int) -> None:
    """Write records in place of the empty flags of `finish`, and pictures."""
    expected, experiment = Expected(session), session.config.experiment
    known: dict[str, dict[str, Any]] = {}
    jobs = list(expected.of_project())
    for mosaic in range(1, mosaics + 1):
        jobs += expected.of_mosaic(mosaic)
        for batch in experiment.batches_of(mosaic):
            jobs += expected.of_batch(mosaic, batch)
    for slice_id in range(1, mosaics // 2 + 1):
        jobs += expected.of_slice(slice_id)
    for job in (job for job in jobs if (session.project / job.flag).exists()):
        if job.rule not in known:
            known[job.rule] = record_of(job.rule, experiment.tiles_of(1, 1))
        write(session.project, job, known[job.rule])


def write(project: Path, job: Job, record: dict[str, Any]) -> None:
    """Write a flag, and the picture that its job makes."""
    unit = job.unit.model_dump(mode="json")
    path = project / job.flag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**record, "unit": unit}, indent=1))
    if job.rule in {"process_batch", "stitch_enface"}:
        sheet = project / f"mosaic-{job.unit.mosaic:03d}/qc/{path.name}.jpg"
        sheet.parent.mkdir(exist_ok=True)
        shutil.copy(project.parent / "sheet.jpg", sheet)


def cpu_s(config: Config, folder: Path, changed: Job | None = None) -> tuple[float, float]:
    """Return CPU seconds of a look, and of the pages beyond it."""
    if changed is not None:
        write(folder / "project", changed, record_of(changed.rule, [1]))
    begin = time.process_time()
    peek_project(Session(config, folder))
    looked = time.process_time()
    write_pages(Session(config, folder), seconds=math.inf)
    return looked - begin, time.process_time() - looked - (looked - begin)


def main() -> None:
    """Make the project, write its pages, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mosaics", type=int, default=200)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--tiles", type=int, default=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = config_of(folder, asked)
        acquire(config, asked.mosaics)
        session = Session(config, folder)
        write_preview(
            folder / "sheet.jpg", "ret", np.tile(np.float32(np.arange(1500)) / 25, (800, 1))
        )
        os.chdir(folder)
        flags = finish(session, asked.mosaics)
        fill(session, asked.mosaics)
        first = cpu_s(config, folder)
        same = [cpu_s(config, folder) for _ in range(3)]
        mosaic = asked.mosaics * 3 // 4 + 1
        more = [
            cpu_s(config, folder, list(Expected(session).of_batch(mosaic, batch))[2])
            for batch in (1, 2, 3)
        ]
        pages = list((folder / "project" / "pages").glob("*.html"))
        megabytes = sum(page.stat().st_size for page in pages) / 1e6
    tiles = asked.mosaics * asked.batches * asked.tiles
    print(f"{asked.mosaics} mosaics, {tiles} tiles, {flags} flags")
    print(f"{len(pages)} pages, {megabytes:.1f} MB")
    print(f"CPU of a look at the state {min(look for look, _ in same):.2f} s; beyond it:")
    print(f"first writing {first[1]:.1f} s")
    print(f"nothing changed {min(beyond for _, beyond in same):.2f} s")
    print(f"a batch more {min(beyond for _, beyond in more):.2f} s")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
