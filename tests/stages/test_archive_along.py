"""Convert and process archive the raw tiles they read: same copies, same products, one reading."""

import numpy as np
import pytest

from octflow.core.archive import NO_ARCHIVE, ArchiveAlong
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Product, Tiles
from octflow.io.complex_tiles import write_complex_tile
from octflow.simulate.presets import preset
from octflow.simulate.tiles import tile_spectra
from octflow.stages.archive import VERSION
from octflow.stages.archive.files import archive_batch
from octflow.stages.archive.settings import ArchiveSettings
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

from bytes_read import BytesRead
from flags import write_flag

N = 32
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N, tile_size_y_px=N)
UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}
READERS = {"keep": "convert", "temporary": "convert", "none": "process", "complex": "convert"}


@pytest.fixture(scope="module")
def content():
    """The raw files of a tile, by format."""
    return bytes(352) + tile_spectra(preset("tiny"), 1, 1).tobytes()


@pytest.fixture
def raw(tmp_path, content):
    path = tmp_path / "mosaic_001_image_0001_spectral_0001.nii"
    path.write_bytes(content)
    return path


@pytest.fixture
def delivered(tmp_path):
    jones = np.random.default_rng(0).normal(size=(2, 1000, N, N)).astype(np.complex64)
    path = tmp_path / "mosaic_001_image_0001_processed.nii"
    write_complex_tile(path, jones, voxel_size_mm=(0.01, 0.01, 0.0025))
    return path


def run(raw, folder, mode, *, hostile=False):
    """Convert, process and archive; return the three outcomes."""
    folder.mkdir()
    if hostile:
        (folder / "archived").write_text("in the way")
    along = ArchiveAlong(folder=str(folder / "archived"), subject="I46", version=VERSION)
    reader = READERS[mode]
    kind = "complex" if mode == "complex" else "spectral"
    listed = Product(id="stat:1", path=str(raw), bytes=raw.stat().st_size, role="raw", tile=1)
    started = write_flag(
        folder / "started",
        "start_batch",
        inputs=[listed],
        tiles=Tiles(ok=[1]),
        parameters={"acquisition": {"format": kind}},
        unit=UNIT,
    )
    chosen = ConvertSettings(complex="keep" if mode == "complex" else mode)
    converted = convert_batch(
        started=started,
        folder=folder / "complex",
        illumination=ROW,
        instrument=Instrument(),
        settings=chosen,
        archive=along if reader == "convert" else NO_ARCHIVE,
        threads=1,
    )
    told = {"unit": UNIT, **converted.model_dump(exclude={"gates"})}
    write_flag(
        folder / "converted", "convert_batch", parameters={"settings": chosen.plain()}, **told
    )
    processed = process_batch(
        converted=folder / "converted",
        folder=folder / "processed",
        overview=folder / "batch-001.jpg",
        illumination=ROW,
        instrument=Instrument(),
        # Random numbers are no tissue, and are refused as such where that is asked.
        settings=ProcessSettings(gates={"noise_floor_db": {"warn": 1e3, "fail": 1e3}}),
        archive=along if reader == "process" else NO_ARCHIVE,
        threads=1,
    )
    return converted, processed, started


def archive(started, folder):
    return archive_batch(
        started=started,
        converted=[],
        processed=[],
        folder=folder,
        subject="I46",
        illumination=ROW,
        settings=ArchiveSettings(retries={"attempts": 1}),
        threads=1,
    )


def copies(outcome):
    return [(p.role, p.id) for p in outcome.outputs if p.role == "archived"]


@pytest.mark.parametrize("mode", READERS)
def test_the_archive_accepts_the_copy_without_reading(tmp_path, raw, delivered, mode):
    source = delivered if mode == "complex" else raw
    *_, started = run(source, tmp_path / "p", mode)
    alone = archive(started, tmp_path / "alone")
    source.unlink()
    outcome = archive(started, tmp_path / "p" / "archived")
    assert outcome.qc["raw_bytes_read_here"] == 0
    assert copies(outcome) == copies(alone)
    assert [p.id for p in outcome.inputs] == [p.id for p in alone.inputs]


@pytest.mark.parametrize("mode", READERS)
def test_an_archive_in_trouble_changes_no_product(tmp_path, raw, delivered, mode):
    source = delivered if mode == "complex" else raw
    good = run(source, tmp_path / "good", mode)
    bad = run(source, tmp_path / "bad", mode, hostile=True)
    for well, ill in zip(good[:2], bad[:2], strict=True):
        ids = [[p.id for p in outcome.outputs if p.role != "overview"] for outcome in (well, ill)]
        assert ids[0] == ids[1]
    warnings = [line for outcome in bad[:2] for line in outcome.warnings if "archived" in line]
    assert len(warnings) == 1


def test_a_tile_of_one_level_is_refused_and_archived_all_the_same(tmp_path, raw, content):
    raw.write_bytes(bytes(len(content)))
    converted, _, started = run(raw, tmp_path / "p", "keep")
    assert [t.tile for t in converted.tiles.failed] == [1]
    outcome = archive(started, tmp_path / "p" / "archived")
    assert outcome.tiles.ok == [1]
    assert outcome.qc["raw_bytes_read_here"] == 0


def test_a_delivered_complex_tile_is_read_once_by_convert(tmp_path, delivered):
    run(delivered, tmp_path / "warm", "complex")
    (tmp_path / "p").mkdir()
    listed = Product(
        id="stat:1", path=str(delivered), bytes=delivered.stat().st_size, role="raw", tile=1
    )
    started = write_flag(
        tmp_path / "p" / "started",
        "start_batch",
        inputs=[listed],
        parameters={"acquisition": {"format": "complex"}},
        unit=UNIT,
    )
    with BytesRead() as read:
        convert_batch(
            started=started,
            folder=tmp_path / "p" / "complex",
            illumination=ROW,
            instrument=Instrument(),
            settings=ConvertSettings(),
            threads=1,
        )
    assert read.bytes == pytest.approx(listed.bytes, rel=0.02)
