"""One function per rule of the stage archive."""

from pathlib import Path

from octflow.core.experiment import Illumination
from octflow.core.record import Outcome, Product, Tiles
from octflow.io.archive_tiles import TileArchive
from octflow.io.atomic import replacing
from octflow.io.batch import TileJob, TileRecord, accept, work_through
from octflow.io.records import product, read_record
from octflow.stages.archive import VERSION
from octflow.stages.archive.settings import ArchiveSettings


def archive_batch(
    *,
    started: Path,
    converted: list[Path],
    processed: list[Path],
    folder: Path,
    subject: str,
    illumination: Illumination,
    settings: ArchiveSettings,
    threads: int,
) -> Outcome:
    """Keep a compressed, checksummed copy of every raw tile of a batch.

    Copies that were made while the tiles were read to be converted are accepted; what is missing
    is read here. Copies are verified by reading them back. Raw files are only read. Those that
    hold several illuminations are archived with the first of them: other batches keep nothing,
    and say where.

    Parameters
    ----------
    started : Path
        Record of the batch: its inputs are the raw tiles.
    converted, processed : list of Path
        Records of the jobs that archive while they read, there so that they come first.
    folder : Path
        Where copies go; their small records go to its subfolder `records`.
    subject : str
        BIDS subject label.
    illumination : Illumination
        Its name is part of the names of the copies.
    settings : ArchiveSettings
        Compression, failures accepted.
    threads : int
        Blocks of a tile packed side by side.

    Returns
    -------
    outcome : Outcome
        Outputs of the role "archived", one per tile that did not fail, and a checksum file.

    Raises
    ------
    TileError
        The copies cannot be written.
    TooManyFailuresError
        More tiles failed than accepted.
    """
    record = read_record(started)
    missing = record.tiles.missing if record.tiles else []
    if illumination.lane > 0:
        first = (record.unit.mosaic or 0) - illumination.lane
        return Outcome(tiles=Tiles(missing=missing), qc={"archived_with_mosaic": first})
    kept = TileArchive(
        folder=folder,
        subject=subject,
        slice_id=record.unit.slice or 0,
        illumination=illumination.name,
        level=settings.level,
        version=VERSION,
    )
    read_here: list[int] = []

    def archive(job: TileJob) -> TileRecord:
        read_here.append(job.source.bytes)
        return kept.archive(job, threads=threads)

    result = work_through(
        _jobs(record.inputs),
        archive,
        records=kept.records,
        signature=kept.signature,
        threads=1,  # The blocks of a tile are packed side by side, not tiles: less memory.
        retries=settings.retries,
    )
    accept(result, max_failed_tiles=settings.max_failed_tiles)
    sums = _write_checksums(folder, result.done, record.unit.batch or 0)
    return Outcome(
        inputs=result.inputs,
        outputs=[*result.outputs, sums],
        tiles=Tiles(ok=[r.tile for r in result.done], failed=result.failed, missing=missing),
        qc={
            "raw_bytes_archived": sum(p.bytes for p in result.inputs),
            "raw_bytes_read_here": sum(read_here),
        },
    )


def _jobs(inputs: list[Product]) -> list[TileJob]:
    """Return what is to be archived: of a tile delivered in two files, the spectra."""
    role = "archive" if "archive" in {p.role for p in inputs} else "raw"
    return [TileJob(p.tile, p) for p in inputs if p.role == role and p.tile is not None]


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
