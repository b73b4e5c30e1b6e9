"""Which job hands the bytes of raw tiles on to the archive while it reads them."""

import json
from pathlib import Path
from typing import Any

from octflow.core.layout import flag
from octflow.core.names import archived_kind, used_kind
from octflow.core.record import Unit
from octflow.workflow.config import Config
from octflow.workflow.records import lineage_folder

READERS = ("convert_batch", "process_batch")
"""Rules whose jobs can."""


def reader_of(config: Config) -> str | None:
    """Name the rule whose jobs read raw tiles whole and archive them; None where none does."""
    delivery = config.acquisition.format
    wanted = config.archive.enabled and config.archive.while_reading
    if not wanted or used_kind(delivery) != archived_kind(delivery):
        return None
    in_memory = config.convert.complex == "none" and used_kind(delivery) != "complex"
    return "process_batch" if in_memory else "convert_batch"


def reader_of_batch(config: Config, project: Path, unit: Unit) -> str | None:
    """Name the rule whose job comes before a batch is archived; None where it waits for none.

    An archive that was made once keeps the inputs it had, whatever the configuration says now:
    what comes and goes must not make it anew. But it never waits for a job that failed, or bad
    spectra would hold it up. Everything is read from the lineage, which stays when Snakemake
    removes the flags of jobs about to run: all processes of a run must find the same.
    """
    if config.experiment.illumination_of(unit.mosaic or 0).lane > 0:
        return None  # The raw file holds the first illumination too, and is archived with that.
    made = _last(project / lineage_folder("archive_batch", unit), "succeeded")
    reader = reader_of(config) if made is None else _recorded(made)
    if reader is None or (project / _flag(reader, unit)).exists():
        return reader
    last = _last(project / lineage_folder(reader, unit))
    return None if last is not None and last["status"] == "failed" else reader


def _recorded(made: dict[str, Any]) -> str | None:
    """Name the rule whose flag is an input of a record of `archive_batch`."""
    unit = Unit.model_validate(made["unit"])
    listed = {p["path"] for p in made["inputs"]}
    return next((rule for rule in READERS if str(_flag(rule, unit)) in listed), None)


def _flag(rule: str, unit: Unit) -> Path:
    return flag(rule, mosaic=unit.mosaic or 0, batch=unit.batch or 0)


def _last(folder: Path, status: str | None = None) -> dict[str, Any] | None:
    """Return the last attempt of a job, or the last that ended so."""
    for path in sorted(folder.glob("attempt-*.json"), reverse=True):
        found: dict[str, Any] = json.loads(path.read_bytes())
        if status in {None, found["status"]}:
            return found
    return None
