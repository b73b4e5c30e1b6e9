"""A project as large as a brain, on disk, for benchmarks: nothing of it was run.

Raw tiles are names of empty files. Flags are empty, or records as long as those of the workflow.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.core.record import Outcome, Product, Record, Tiles, Unit
from octflow.io.records import write_record
from octflow.services.jobs import Expected, Job
from octflow.workflow.config import Config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session

DECLARED = {
    "process_batch": ["mosaic-{mosaic:03d}/qc/batch-{batch:03d}.jpg"],
    "find_tilemap": ["tilemap-{illumination}.j2", "qc/tilemap-{illumination}.jpg"],
    "stitch_enface": ["mosaic-{mosaic:03d}/qc/enface.jpg"],
    "find_focus": ["focus-{illumination}.nii", "qc/focus-{illumination}.jpg"],
    "stitch_volume": ["mosaic-{mosaic:03d}/qc/volume-{modality}.jpg"],
    "register_slice": ["qc/slice-{slice:03d}.jpg"],
    "stack_slices": ["qc/stack.jpg"],
}
"""Outputs that rules declare besides their flags."""
READ_BY = {
    "convert_batch": ["start_batch"],
    "process_batch": ["convert_batch"],
    "archive_batch": ["start_batch", "convert_batch"],
    "stitch_enface": ["process_batch"],
    "join_volumes": ["stitch_enface"],
    "register_slice": ["stitch_enface"],
}
"""Rules whose records a rule reads."""
ROLES = ("dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref")


def add_size(parser: argparse.ArgumentParser, **size: int) -> None:
    """Let the size of the project be chosen: mosaics, batches of each, tiles of each."""
    for part, number in size.items():
        parser.add_argument(f"--{part}", type=int, default=number)


def values_of(folder: Path, mosaics: int, batches: int, tiles: int) -> dict[str, Any]:
    """Return the configuration of a project with two illuminations."""
    rows = [
        {"name": "normal", "grid_size_x": batches},
        {"name": "tilted", "tilt_deg": -15, "grid_size_x": batches},
    ]
    return {
        "project": {"name": "large", "folder": str(folder / "project"), "slices": mosaics // 2},
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {"grid_size_y": tiles, "illuminations": rows},
        "ingest": {"stable_seconds": 0},
    }


def acquire(config: Config, mosaics: int) -> None:
    """Make the names of all raw tiles."""
    raw = Path(config.acquisition.folder)
    raw.mkdir(parents=True)
    for mosaic in range(1, mosaics + 1):
        for tile in config.experiment.grid_of(mosaic):
            name = f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii"
            os.close(os.open(raw / name, os.O_CREAT))


def jobs_of(session: Session, mosaics: int) -> list[Job]:
    """Return all jobs of a project of so many mosaics, what is read before what reads it."""
    expected, experiment = Expected(session), session.config.experiment
    jobs = [
        job for slice_id in range(1, mosaics // 2 + 1) for job in expected.of_slice(slice_id)
    ] + list(expected.of_project())
    for mosaic in range(1, mosaics + 1):
        jobs += expected.of_mosaic(mosaic)
        for batch in experiment.batches_of(mosaic):
            jobs += expected.of_batch(mosaic, batch)
    return sorted(jobs, key=lambda job: _ORDER.index(job.rule))


_ORDER = [
    *("start_slice", "start_mosaic", "start_batch", "convert_batch", "process_batch"),
    *("archive_batch", "find_tilemap", "stitch_enface", "find_focus", "stitch_volume"),
    *("join_volumes", "register_slice", "place_slice", "stack_slices"),
]


def touch(session: Session, job: Job) -> None:
    """Make the flag of a job as an empty file, and likewise what its rule declares."""
    for path in (job.flag, *_declared(job)):
        place = session.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _declared(job: Job) -> Iterator[str]:
    ids = job.unit.model_dump(exclude_none=True)
    return (path.format(**ids) for path in DECLARED.get(job.rule, ()))


class Records:
    """Writes the flags of jobs as records of their usual length, and keeps them in the lineage.

    Parameters
    ----------
    session : Session
        The project; its raw tiles must be there.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._like: dict[str, Record] = {}

    def write(self, job: Job) -> None:
        """Write the flag of a job, which reads flags written before; touch what it declares."""
        touch(self._session, job)
        path, unit = self._session.project / job.flag, job.unit
        changed: dict[str, Any] = {"unit": unit, "inputs": list(self._read(job))}
        if job.rule == "start_batch":
            inventory = self._session.ready.inventory(unit.mosaic or 0, unit.batch or 0)
            changed["parameters"] = {"inventory": inventory}
        # Plain files: flushing each to disk, as the workflow does, takes minutes.
        path.write_text(self._record(job).model_copy(update=changed).model_dump_json(indent=1))
        kept = self._session.project / job.lineage / "attempt-001.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.hardlink_to(path)

    def _read(self, job: Job) -> Iterator[Product]:
        """Name the records that a job reads, but for those of whole illuminations."""
        unit, experiment = job.unit, self._session.config.experiment
        mosaic, batch = unit.mosaic or 0, unit.batch or 0
        mosaics = experiment.mosaics_of(unit.slice or 1)
        ids: list[dict[str, int]] = [{"mosaic": mosaic, "batch": batch}]
        if job.rule == "stitch_enface":
            ids = [{"mosaic": mosaic, "batch": b} for b in experiment.batches_of(mosaic)]
        if job.rule in {"join_volumes", "register_slice"}:
            ids = [{"mosaic": m} for m in ([mosaic] if mosaic else mosaics)]
        for rule in READ_BY.get(job.rule, ()):
            for one in ids:
                path, record_id = str(flag(rule, **one)), self._like[rule].record_id
                yield Product(id=record_id, path=path, bytes=1, role="record")

    def _record(self, job: Job) -> Record:
        """Return the record of another job of the same rule."""
        if job.rule not in self._like:
            tiles = list(range(1, self._session.config.experiment.grid_size_y + 1))
            roles = {"process_batch": ROLES, "start_slice": (), "start_mosaic": ()}
            outputs = [
                Product(id="stat:1", path=f"{role}/{tile}.nii", bytes=9, role=role, tile=tile)
                for tile in tiles
                for role in roles.get(job.rule, ("one",))
            ]
            attempt = Attempt(job.rule.split("_")[0], job.rule, job.unit, [], {}, 1, "tile", 1)
            outcome = Outcome(outputs=outputs, tiles=Tiles(ok=tiles))
            self._like[job.rule] = attempt.succeeded(outcome, {})
        return self._like[job.rule]


def fail(session: Session, job: Job) -> None:
    """Note an attempt of a job that failed."""
    attempt = Attempt("process", job.rule, Unit(project="large"), [], {}, 1, "tile", 1)
    record = attempt.failed(DataError("a.nii", found="0 bytes", expected="4 bytes"), "data")
    write_record(session.project / job.lineage / "attempt-001.json", record)
