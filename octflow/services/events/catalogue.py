"""The catalogue of events: a record in, an event out."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from octflow.core.record import Record, Unit

PREFIX = "linc.oct."
"""What every type begins with."""

NAMES = {
    "start_slice": "slice.started",
    "start_mosaic": "mosaic.started",
    "start_batch": "batch.started",
    "convert_batch": "batch.converted",
    "process_batch": "batch.processed",
    "archive_batch": "batch.archived",
    "find_tilemap": "project.tilemap_found",
    "refine_tilemap": "mosaic.tilemap_refined",
    "stitch_enface": "mosaic.stitched",
    "find_focus": "project.focus_found",
    "stitch_share": "mosaic.share_stitched",
    "stitch_volume": "mosaic.modality_stitched",
    "join_volumes": "mosaic.volume_stitched",
    "register_slice": "slice.registered",
    "register_volumes": "slice.volumes_registered",
    "place_slice": "slice.placed",
    "stack_slices": "project.stacked",
    "upload_batch": "batch.uploaded",
    "upload_mosaic": "mosaic.uploaded",
    "upload_volume": "mosaic.volume_uploaded",
    "upload_slice": "slice.uploaded",
    "upload_dataset": "project.dataset_uploaded",
}
"""What the flag of a rule says, without the prefix."""

PROCESSED = f"{PREFIX}batch.processed"
"""Type of the event of a batch whose tiles are worked on."""

PROGRESSED = f"{PREFIX}mosaic.progressed"
"""Type of the event of a quarter of a mosaic's tiles."""


class Event(BaseModel):
    """An event in the form of CloudEvents 1.0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return the event as it is delivered: one line of JSON."""
        return self.model_dump_json().encode()


@dataclass(frozen=True)
class Context:
    """What an event says of its project; it is the same for all."""

    name: str
    subject: str
    folder: str

    @property
    def source(self) -> str:
        """Source of all events of the project."""
        return f"/octflow/{self.name}"


def level_of(rule: str) -> str:
    """Return what a rule works on: batch, mosaic, slice or project."""
    return NAMES[rule].split(".")[0]


def subject_of(unit: Unit) -> str:
    """Return the unit as a path; events of one subject are delivered in their order.

    Examples
    --------
    >>> subject_of(Unit(project="p", slice=1, mosaic=2, batch=3, illumination="tilted"))
    'mosaic-002/batch-003'
    >>> subject_of(Unit(project="p", illumination="tilted"))
    'project/tilted'
    >>> subject_of(Unit(project="p", slice=1))
    'slice-001'
    """
    if unit.mosaic is not None:
        batch = "" if unit.batch is None else f"/batch-{unit.batch:03d}"
        return f"mosaic-{unit.mosaic:03d}{batch}"
    if unit.slice is not None:
        return f"slice-{unit.slice:03d}"
    return f"project/{unit.illumination}" if unit.illumination else "project"


def event_id(event_type: str, subject: str, told_by: str) -> str:
    """Return the id of an event: the same however often it is derived."""
    parts = "\n".join((event_type, subject, told_by))
    return f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"


def event_of(record: Record, path: str, context: Context) -> Event:
    """Return the event of a flag or of a failed attempt.

    Parameters
    ----------
    record : Record
        The record.
    path : str
        Its file, relative to the project folder.
    context : Context
        The project.
    """
    failed = record.status == "failed"
    name = f"{level_of(record.rule)}.failed" if failed else NAMES[record.rule]
    subject = subject_of(record.unit)
    payload = {
        "project": {
            "name": context.name,
            "subject": context.subject,
            "folder": context.folder,
        },
        "unit": record.unit.model_dump(exclude_none=True),
        "stage": record.stage,
        "rule": record.rule,
        "record": {"id": record.record_id, "path": path, "attempt": record.attempt},
        "host": record.executor.host,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "totals": totals_of(record),
        "outputs": _outputs(record),
        "assets": [asset.model_dump() for asset in record.assets],
        "warnings": record.warnings,
    }
    if record.error:
        payload["error"] = record.error.model_dump()
    return Event(
        id=event_id(PREFIX + name, subject, record.record_id),
        source=context.source,
        type=PREFIX + name,
        subject=subject,
        time=record.ended_at,
        data=payload,
    )


def totals_of(record: Record) -> dict[str, float]:
    """Count what a job did: tiles where it worked on tiles, files, bytes, seconds."""
    totals: dict[str, float] = {
        "outputs": len(record.outputs),
        "bytes": sum(p.bytes for p in record.outputs),
        "wall_s": record.wall_s,
    }
    if record.tiles:
        totals |= {
            "tiles_ok": len(record.tiles.ok),
            "tiles_failed": len(record.tiles.failed),
            "tiles_missing": len(record.tiles.missing),
        }
    expected = ("tiles_expected", "batches_expected", "mosaics_expected")
    found = {key: record.qc.get(key) for key in expected}
    return totals | {key: value for key, value in found.items() if isinstance(value, int)}


def _outputs(record: Record) -> list[dict[str, Any]]:
    """List the products of the whole unit; those of single tiles stand in the record."""
    return [
        {"role": p.role, "path": p.path, "bytes": p.bytes, "id": p.id}
        for p in record.outputs
        if p.tile is None
    ]


def progress_event(processed: Event, done: int, expected: int, percent: int) -> Event:
    """Return the event of a quarter of a mosaic's tiles; there is one of each in its life.

    Parameters
    ----------
    processed : Event
        Event of the batch with which it was reached.
    done, expected : int
        Tiles of the mosaic whose batches are processed, and all.
    percent : {25, 50, 75, 100}
        The quarter.
    """
    subject = processed.subject.split("/", 1)[0]
    unit = {key: value for key, value in processed.data["unit"].items() if key != "batch"}
    totals = {"tiles_done": done, "tiles_expected": expected, "percent": percent}
    payload = {
        **processed.data,
        "unit": unit,
        "totals": totals,
        "outputs": [],
        "assets": [],
        "warnings": [],
    }
    changed = {
        "id": event_id(PROGRESSED, subject, str(percent)),
        "type": PROGRESSED,
        "subject": subject,
        "data": payload,
    }
    return processed.model_copy(update=changed)
