"""What the pages of a large project cost, the look at its state not counted.

    python benchmarks/pages.py                 200 mosaics x 20 batches x 25 tiles
    python benchmarks/pages.py --mosaics 20    a tenth of it

Three quarters of the mosaics are done, with records and pictures of every job that makes some; the
raw tiles of all are there by name. Prints CPU times: of the first writing, which reads all records
and makes small copies of all pictures; of writing again when nothing has changed, and when one
batch more is done (least of three).
"""

import argparse
import math
import resource
import shutil
import tempfile
import time
from pathlib import Path

import large
import numpy as np

from octflow.io.picture import write_preview
from octflow.services.jobs import Expected, Job
from octflow.services.pages import write_pages
from octflow.services.state import peek_project
from octflow.workflow.config import Config, read_config
from octflow.workflow.session import Session


def finish(session: Session, mosaics: int) -> int:
    """Write the flags of the first three quarters of the mosaics, with pictures; count them."""
    records, jobs = large.Records(session), large.jobs_of(session, mosaics)
    done = [job for job in jobs if (job.unit.mosaic or 0) <= 0.75 * mosaics]
    for job in done:
        write(records, session.project, job)
    return len(done)


def write(records: large.Records, project: Path, job: Job) -> None:
    """Write a flag, and the picture that its job makes."""
    records.write(job)
    ids = job.unit.model_dump(exclude_none=True)
    for path in large.DECLARED.get(job.rule, ()):
        if path.endswith(".jpg"):
            shutil.copy(project.parent / "sheet.jpg", project / path.format(**ids))


def cpu_s(config: Config, folder: Path, changed: Job | None = None) -> tuple[float, float]:
    """Return CPU seconds of a look, and of the pages beyond it."""
    if changed is not None:
        write(large.Records(Session(config, folder)), folder / "project", changed)
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
    large.add_size(parser, mosaics=200, batches=20, tiles=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = read_config(large.values_of(folder, asked.mosaics, asked.batches, asked.tiles))
        large.acquire(config, asked.mosaics)
        session = Session(config, folder)
        sheet = np.tile(np.arange(1500, dtype=np.float32) / 25, (800, 1))
        write_preview(folder / "sheet.jpg", "ret", sheet)
        flags = finish(session, asked.mosaics)
        first = cpu_s(config, folder)
        same = [cpu_s(config, folder) for _ in range(3)]
        mosaic = asked.mosaics * 3 // 4 + 1
        more = [
            cpu_s(config, folder, list(Expected(session).of_batch(mosaic, batch))[2])
            for batch in (1, 2, 3)
        ]
        pages = list((folder / "project" / "pages").glob("*.html"))
        small = len(list((folder / "project" / "pages" / "small").rglob("*.jpg")))
        megabytes = sum(page.stat().st_size for page in pages) / 1e6
    tiles = asked.mosaics * asked.batches * asked.tiles
    print(f"{asked.mosaics} mosaics, {tiles} tiles, {flags} flags")
    print(f"{len(pages)} pages, {megabytes:.1f} MB; {small} small pictures")
    print(f"CPU of a look at the state {min(look for look, _ in same):.2f} s; beyond it:")
    print(f"first writing {first[1]:.1f} s")
    print(f"nothing changed {min(beyond for _, beyond in same):.2f} s")
    print(f"a batch more {min(beyond for _, beyond in more):.2f} s")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
