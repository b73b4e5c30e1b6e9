"""One function per rule of the stage ingest."""

from pathlib import Path
from typing import Any

from octflow.core.experiment import Illumination
from octflow.core.record import Outcome
from octflow.stages.ingest.inventory import tiles_of_inventory


def start_slice(*, mosaics: list[int]) -> Outcome:
    """Note that a slice is being scanned, and which mosaics it will have."""
    return Outcome(qc={"mosaics_expected": len(mosaics)})


def start_mosaic(
    *, slice_started: Path, illumination: Illumination, grid: list[list[int]]
) -> Outcome:
    """Note that a mosaic is being scanned, and how many tiles it will have."""
    return Outcome(qc={"tiles_expected": len(grid), "batches_expected": illumination.grid_size_x})


def start_batch(
    *,
    mosaic_started: Path,
    illumination: Illumination,
    acquisition: dict[str, Any],
    inventory: list[dict[str, Any]],
) -> Outcome:
    """List the raw tiles of a batch and those declared missing."""
    raw, tiles = tiles_of_inventory(inventory)
    warnings = [f"tile {t.tile} is missing: {t.reason}" for t in tiles.missing]
    return Outcome(
        inputs=raw,
        tiles=tiles,
        qc={"tiles_present": len(tiles.ok), "raw_bytes": sum(p.bytes for p in raw)},
        warnings=warnings,
    )
