"""Which job hands the bytes of raw tiles on to the archive while it reads them."""

import json
from pathlib import Path
from typing import Any

from octflow.core.layout import flag
from octflow.core.names import archived_kind, used_kind
from octflow.workflow.config import Config

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


def reader_of_batch(config: Config, project: Path, mosaic: int, batch: int) -> str | None:
    """Name the rule whose job comes before a batch is archived; None where it waits for none.

    An archive does not wait for a job that failed: it is never held up by bad spectra. One that
    is finished keeps the inputs it had, whatever the configuration says now: what comes or goes
    must not make it anew.
    """
    unit = {"mosaic": mosaic, "batch": batch}
    if (done := _read(project / flag("archive_batch", **unit))) is not None:
        listed = {p.get("path") for p in done.get("inputs", [])}
        return next((rule for rule in READERS if str(flag(rule, **unit)) in listed), None)
    if config.experiment.illumination_of(mosaic).lane > 0:
        return None  # The raw file holds the first illumination too, and is archived with that.
    reader = reader_of(config)
    if reader is None or (project / flag(reader, **unit)).exists():
        return reader
    return None if _failed(project, reader, mosaic, batch) else reader


def _failed(project: Path, rule: str, mosaic: int, batch: int) -> bool:
    """Say whether the last attempt of a job failed."""
    unit = f"*mosaic-{mosaic:03d}_batch-{batch:03d}_*"
    attempts = sorted((project / "lineage" / rule).glob(f"{unit}/attempt-*.json"))
    last = _read(attempts[-1]) if attempts else None
    return last is not None and last.get("status") == "failed"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
