"""What a person at the terminal is told about tiles that are not there, or failed."""

import json
from pathlib import Path

from octflow.core.layout import flag
from octflow.workflow.ready import Ready


def remarks_of(ready: Ready) -> list[str]:
    """Say what waits and which tiles failed, one line each; opens the flags of all batches."""
    return [*waits_of(ready), *failures_of(ready)]


def waits_of(ready: Ready) -> list[str]:
    """Say what waits and for what, one line each."""
    lines = [f"waiting: {waiting}" for waiting in ready.waiting]
    lines += [
        f"waiting: slice {slice_id}: nothing of mosaics {mosaics} has arrived"
        for slice_id, mosaics in ready.unseen.items()
    ]
    lines += [
        f"waiting: mosaic {mosaic}: its tile coordinates are found on mosaics {lacking} too, "
        "which are not complete (stitch.template_slices)"
        for mosaic, lacking in ready.without_coordinates.items()
    ]
    lines += [f"on hold: {mark}" for mark in ready.holds.values()]
    if not ready.raw_tiles:
        kind = ready.config.acquisition.format
        lines.append(f"waiting: there is no {kind} tile in {ready.raw}")
    return lines


def failures_of(ready: Ready) -> list[str]:
    """Say which tiles failed in batches that are done, one line each."""
    lines: list[str] = []
    for rule in ("convert_batch", "process_batch", "archive_batch"):
        for mosaic, batch in ready.batches:
            path = ready.project / flag(rule, mosaic=mosaic, batch=batch)
            lines += [f"{rule} mosaic {mosaic}: {line}" for line in _failures(path)]
    return lines


def _failures(path: Path) -> list[str]:
    try:
        tiles = json.loads(path.read_bytes())["tiles"] or {}
    except (OSError, ValueError, KeyError):
        return []
    return [f"tile {f['tile']} failed: {f['reason']}" for f in tiles.get("failed", [])]
