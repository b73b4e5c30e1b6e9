"""One function per rule of the stage ingest."""

from pathlib import Path
from typing import Any

from octflow.core.experiment import Illumination
from octflow.core.names import archive_name
from octflow.core.record import Outcome, Product, Tiles
from octflow.io.archive import archive_file
from octflow.io.atomic import replacing
from octflow.io.batch import TileJob, TileRecord, accept, work_through
from octflow.io.digest import content_id
from octflow.io.records import product, read_record
from octflow.stages.ingest import VERSION
from octflow.stages.ingest.inventory import tiles_of_inventory
from octflow.stages.ingest.settings import IngestSettings


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


def archive_batch(
    *,
    started: Path,
    folder: Path,
    subject: str,
    illumination: Illumination,
    settings: IngestSettings,
    threads: int,
) -> Outcome:
    """Keep a compressed, checksummed copy of every raw tile of a batch.

    The copies are verified by reading them back. Raw files are only read. Those that hold several
    illuminations are archived with the first of them: other batches keep nothing, and say where.
    """
    record = read_record(started)
    if illumination.lane > 0:
        first = (record.unit.mosaic or 0) - illumination.lane
        missing = record.tiles.missing if record.tiles else []
        return Outcome(tiles=Tiles(missing=missing), qc={"archived_with_mosaic": first})
    signature = content_id({"version": VERSION, "level": settings.archive_level})

    def archive(job: TileJob) -> TileRecord:
        source = Path(job.source.path)
        name = archive_name(
            subject, record.unit.slice or 0, job.tile, illumination.name, source.suffix
        )
        raw_id = archive_file(
            source,
            folder / name,
            level=settings.archive_level,
            threads=threads,
            expected_bytes=job.source.bytes,
        )
        return TileRecord(
            tile=job.tile,
            source=job.source.id,
            signature=signature,
            inputs=[job.source.model_copy(update={"id": raw_id})],
            outputs=[product(folder / name, "archived", job.tile)],
        )

    roles = {p.role for p in record.inputs}
    role = "archive" if "archive" in roles else "raw"
    jobs = [TileJob(p.tile, p) for p in record.inputs if p.role == role and p.tile is not None]
    result = work_through(
        jobs,
        archive,
        records=folder / "records",
        signature=signature,
        threads=1,  # The blocks of a tile are packed side by side, not tiles: less memory.
        retries=settings.retries,
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    sums = _write_checksums(folder, result.done, record.unit.batch or 0)
    return Outcome(
        inputs=result.inputs,
        outputs=[*result.outputs, sums],
        tiles=Tiles(
            ok=[r.tile for r in result.done],
            failed=result.failed,
            missing=record.tiles.missing if record.tiles else [],
        ),
    )


def _write_checksums(folder: Path, done: list[TileRecord], batch: int) -> Product:
    """Write what `sha256sum --check` understands, for the unpacked raw files."""
    path = folder / f"batch-{batch:03d}.sha256"
    lines = [
        f"{source.id.removeprefix('sha256:')}  {Path(copy.path).name.removesuffix('.gz')}\n"
        for record in done
        for source, copy in zip(record.inputs, record.outputs, strict=True)
    ]
    with replacing(path) as part:
        part.write_text("".join(lines))
    return product(path, "checksums")
