"""Complex tiles kept, temporary or never written: the same products, bytes read once."""

import numpy as np
import pytest

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Product, Tiles
from octflow.io.digest import raw_id
from octflow.simulate.presets import preset
from octflow.simulate.tiles import tile_spectra
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

from flags import write_flag

N = 32
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N, tile_size_y_px=N)
UNIT = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}
MODES = ("keep", "temporary", "none")


@pytest.fixture(scope="module")
def content():
    """Raw files of two tiles."""
    simulated = preset("tiny")
    return {t: bytes(352) + tile_spectra(simulated, 1, t).tobytes() for t in (1, 2)}


@pytest.fixture
def raw(tmp_path, content):
    paths = {t: tmp_path / f"mosaic_001_image_{t:04d}_spectral_{t:04d}.nii" for t in content}
    for tile, path in paths.items():
        path.write_bytes(content[tile])
    return paths


def raw_product(path, tile):
    stat = path.stat()
    stat_id = f"stat:{stat.st_size}-{stat.st_mtime_ns}"
    return Product(id=stat_id, path=str(path), bytes=stat.st_size, role="raw", tile=tile)


def convert(raw, folder, *, instrument=None, **settings):
    """Run convert and write its flag, as the workflow does."""
    started = write_flag(
        folder / "started",
        "start_batch",
        inputs=[raw_product(p, t) for t, p in raw.items()],
        tiles=Tiles(ok=list(raw)),
        parameters={"acquisition": {"format": "spectral"}},
        unit=UNIT,
    )
    chosen = ConvertSettings(**settings)
    outcome = convert_batch(
        started=started,
        folder=folder / "complex",
        illumination=ROW,
        instrument=instrument or Instrument(),
        settings=chosen,
        threads=1,
    )
    write_flag(
        folder / "converted",
        "convert_batch",
        parameters={"settings": chosen.plain()},
        unit=UNIT,
        **outcome.model_dump(exclude={"gates"}),
    )
    return outcome


def process(folder, *, threads=1, instrument=None, **settings):
    return process_batch(
        converted=folder / "converted",
        folder=folder / "processed",
        overview=folder / "batch-001.jpg",
        illumination=ROW,
        instrument=instrument or Instrument(),
        settings=ProcessSettings(**settings),
        threads=threads,
    )


def both(raw, folder, mode, *, threads=1, instrument=None):
    folder.mkdir()
    convert(raw, folder, complex=mode, instrument=instrument)
    return process(folder, threads=threads, instrument=instrument)


def ids(outcome):
    return [(p.role, p.tile, p.id) for p in outcome.outputs if p.tile is not None]


def complex_files(folder):
    return sorted(p.name for p in (folder / "complex").glob("*.nii"))


def test_the_products_are_the_same_bytes_in_every_mode(tmp_path, raw):
    found = {mode: ids(both(raw, tmp_path / mode, mode)) for mode in MODES}
    assert len(found["keep"]) > 2 * 5
    assert found["keep"] == found["temporary"] == found["none"]


def test_only_kept_complex_tiles_are_left(tmp_path, raw):
    for mode in MODES:
        both(raw, tmp_path / mode, mode)
    left = {mode: len(complex_files(tmp_path / mode)) for mode in MODES}
    assert left == {"keep": 2, "temporary": 0, "none": 0}


@pytest.mark.parametrize("mode", MODES)
def test_threads_do_not_change_a_byte(tmp_path, raw, mode):
    one = both(raw, tmp_path / "one", mode, threads=1)
    two = both(raw, tmp_path / "two", mode, threads=2)
    assert ids(one) == ids(two)


@pytest.mark.parametrize("mode", MODES)
def test_the_sha256_of_the_raw_bytes_is_in_a_record(tmp_path, raw, content, mode):
    (tmp_path / "p").mkdir()
    outcomes = [convert(raw, tmp_path / "p", complex=mode), process(tmp_path / "p")]
    listed = {p.id for outcome in outcomes for p in outcome.inputs}
    assert {raw_id(data) for data in content.values()} <= listed


def test_who_reconstructs_lists_the_files_of_the_instrument(tmp_path, raw):
    path = tmp_path / "d.dat"
    np.zeros(2048).tofile(path)
    known = Instrument(dispersion_file=str(path))
    for mode in ("none", "keep"):
        outcome = both(raw, tmp_path / mode, mode, instrument=known)
        assert ("dispersion" in {p.role for p in outcome.inputs}) == (mode == "none")


@pytest.mark.parametrize("mode", ["temporary", "none"])
def test_a_resumed_batch_redoes_nothing_without_its_complex_tiles(tmp_path, raw, mode):
    first = both(raw, tmp_path / "p", mode)
    before = {p.path: p.id for p in first.outputs}
    for path in raw.values():
        path.unlink()  # Nothing may be read again.
        path.touch()
    assert {p.path: p.id for p in process(tmp_path / "p").outputs} == before


def test_a_resumed_conversion_leaves_used_temporary_tiles_gone(tmp_path, raw):
    both(raw, tmp_path / "p", "temporary")
    outcome = convert(raw, tmp_path / "p", complex="temporary")
    assert outcome.tiles.ok == [1, 2]
    assert complex_files(tmp_path / "p") == []


def test_a_temporary_tile_needed_again_is_made_from_the_spectra(tmp_path, raw):
    first = both(raw, tmp_path / "p", "temporary")
    gone = next(p.path for p in first.outputs if p.role == "aip" and p.tile == 2)
    (tmp_path / "p" / gone).unlink()
    assert ids(process(tmp_path / "p")) == ids(first)


def test_keeping_after_temporary_makes_the_tiles_again(tmp_path, raw):
    both(raw, tmp_path / "p", "temporary")
    convert(raw, tmp_path / "p", complex="keep")
    assert len(complex_files(tmp_path / "p")) == 2


def test_spectra_that_changed_since_are_refused(tmp_path, raw, content):
    both(raw, tmp_path / "p", "temporary")
    raw[1].write_bytes(content[2])
    outcome = process(tmp_path / "p", phase_offset_deg=0)
    assert outcome.tiles.ok == [2]
    assert "found sha256:" in outcome.tiles.failed[0].reason


def test_without_complex_tiles_bad_raw_tiles_fail_in_convert(tmp_path, raw):
    raw[1].write_bytes(bytes(352) + np.full((N, 2, N, 2048), 7, "<u2").tobytes())
    raw[2].write_bytes(b"short")
    (tmp_path / "p").mkdir()
    reasons = [f.reason for f in convert(raw, tmp_path / "p", complex="none").tiles.failed]
    assert "found all samples 7" in reasons[0]
    assert "found 5 bytes" in reasons[1]


def test_saturation_is_measured_without_complex_tiles_too(tmp_path, raw):
    found = [both(raw, tmp_path / mode, mode).qc["saturated_fraction_worst"] for mode in MODES]
    assert found[0] == found[1] == found[2]
